#include "landmarks/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/numbers.h"

namespace siamese::landmarks {
namespace {

std::string in_unit(const Options& options) {
  return options.unit.empty() ? "" : fmt::format(", in {}", options.unit);
}

std::string row(std::string_view name, const Measures& measures) {
  return fmt::format("{:<20} {:>18.4f} {:>16.4f} {:>13}\n", name, measures.error_per_point,
                     measures.error_per_pair,
                     measures.correlation ? fmt::format("{:.3f}", *measures.correlation) : "none");
}

}  // namespace

std::string describe_task(const Options& options, const Dataset& data) {
  const Split& split = data.scaled.split;
  const auto trained = static_cast<std::int64_t>(split.train.size());
  std::string text =
      fmt::format("data      {}: {} in {}, beginning with {}; {} train, {} test\n",
                  options.data.empty() ? fmt::format("drawn, seed {}", options.seed) : options.data,
                  counted(data.points.rows, "point"), counted(data.points.columns, "dimension"),
                  counted(options.landmarks, "landmark"), trained, split.test.size());
  if (!options.data.empty()) {
    text += fmt::format(
        "scale     coordinates were divided by {:.6g} to lie in 0 to 1; distances "
        "are straight lines{}\n",
        data.scaling.scale, in_unit(options));
  }
  text += fmt::format(
      "training  loss {} against {}, {} {}, {}, learning rate {}\n", options.loss_name(),
      name(options.target), counted(all_pairs_count(trained), "pair"),
      options.all_pairs ? "at once" : fmt::format("in batches of {}", options.batch),
      counted(options.epochs, options.all_pairs ? "step" : "epoch"), options.learning_rate);
  return text;
}

std::string describe_results(const Options& options, const Dataset& data, const Results& results) {
  const double last_loss = results.loss_curve.back();
  std::string text = fmt::format("trained   by {} in {:.2f} s; last loss {:.6f}\n",
                                 results.trained_by, results.seconds, last_loss);
  if (last_loss >= results.random_loss) {
    text += fmt::format(
        "warning   that is not below the {:.6f} of random coordinates: the training diverged or "
        "was too short (a lower --learning-rate or more --epochs may help)\n",
        results.random_loss);
  }
  text += fmt::format("\nError of the distances between {} unseen points ({}{}):\n",
                      data.scaled.split.test.size(), counted(results.network.pairs, "pair"),
                      in_unit(options));
  text += fmt::format("{:<20} {:>18} {:>16} {:>13}\n", "", "sum / points", "mean per pair",
                      "correlation");
  text += row("network", results.network);
  text += row("random coordinates", results.random);
  text += row("multilateration", results.multilateration);
  text += fmt::format("\nNetwork: {}.\n", describe_relation(results.network));
  text += fmt::format(
      "Moved onto the training points without scaling, it places an unseen point "
      "{:.4f} from where it is, in the mean.\n",
      results.position_error);
  if (results.landmark_rank < data.points.columns) {
    text += fmt::format(
        "Multilateration is not exact here: it takes {} landmarks that span all dimensions; these "
        "span {} of {}.\n",
        data.points.columns + 1, results.landmark_rank, data.points.columns);
  }
  return text;
}

}  // namespace siamese::landmarks
