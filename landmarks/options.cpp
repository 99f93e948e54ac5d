#include "landmarks/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "model/error.h"
#include "model/numbers.h"
#include "model/utf8.h"

namespace siamese::landmarks {
namespace {

constexpr std::string_view as_written = "as_written";
constexpr std::int64_t default_epochs = 100;
constexpr std::int64_t default_all_pairs_steps = 4000;

constexpr const char* description =
    "Learns coordinates from distances to landmarks with a Siamese network, and compares the\n"
    "distances between points that it has not seen with those of random coordinates and of\n"
    "multilateration. Without options it repeats the experiment that the project started from,\n"
    "with its data, network and training.";

/// The options as they are typed, before names and ranges are checked.
struct Typed {
  std::string loss{as_written};
  std::string target{"distance"};
  std::int64_t seed = 0;
  std::int64_t init_seed = 0;
  bool no_pictures = false;
};

void check_range(std::string_view option, std::int64_t value, std::int64_t least,
                 std::int64_t greatest) {
  if (value >= least && value <= greatest) return;
  throw UsageError(fmt::format("{} {}; expected {} to {}", option, value, least, greatest));
}

// The criteria that compare a distance with a distance, as the targets are here.
void check_criterion(const std::string& loss) {
  const std::size_t slash = loss.find('/');
  if (slash == std::string::npos) return;
  const std::string criterion = loss.substr(slash + 1, loss.find(':', slash) - slash - 1);
  for (const Criterion c : all_criteria) {
    if (!takes_labels(c) && criterion == name(c)) return;
  }
  throw UsageError(
      fmt::format("--loss '{}': criterion '{}'; expected absolute, squared or huber, for the "
                  "targets here are distances, and not marks of similar and dissimilar pairs",
                  loss, criterion));
}

std::optional<Loss> checked_loss(const std::string& text) {
  if (text == as_written) return std::nullopt;
  check_criterion(text);
  try {
    return parse_loss(text);
  } catch (const UsageError& error) {  // "loss: .." or "loss 'TEXT': .."
    throw UsageError(fmt::format("--{}; or {}", error.what(), as_written));
  }
}

Target checked_target(const std::string& text) {
  for (const Target target : {Target::distance, Target::squared_distance}) {
    if (text == name(target)) return target;
  }
  throw UsageError(fmt::format("--target '{}'; expected distance or squared_distance", text));
}

void check(const Options& options) {
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  check_range("--points", options.points, 5, most);
  check_range("--landmarks", options.landmarks, 1, most);
  if (options.data.empty() && options.landmarks > options.points) {
    throw UsageError(
        fmt::format("--landmarks {}; expected at most the {} of --points, for they "
                    "are among them",
                    options.landmarks, options.points));
  }
  check_range("--dim", options.dimensions, 1, most);
  if (!is_utf8(options.unit)) {
    throw UsageError(fmt::format("--unit {}; expected UTF-8", shown(options.unit)));
  }
  check_range("--epochs", options.epochs, 1, most / 100);
  check_range("--batch", options.batch, 1, most);
  if (!std::isfinite(options.learning_rate) || options.learning_rate <= 0) {
    throw UsageError(
        fmt::format("--learning-rate {}; expected a positive number", options.learning_rate));
  }
  if (options.all_pairs && !options.loss) {
    throw UsageError(
        fmt::format("--all-pairs with --loss {}; expected another loss, for that one "
                    "goes through batches of a list of pairs",
                    as_written));
  }
  if (options.all_pairs && options.target != Target::distance) {
    throw UsageError(
        fmt::format("--all-pairs with --target {}; expected distance, which is what "
                    "it computes on the fly",
                    name(options.target)));
  }
}

// CLI11 alone takes a number that passes 64 bits for the greatest that fits.
std::string integer_fault(const std::string& text) {
  std::int64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, value);
  if (error == std::errc{} && end == last) return "";
  return fmt::format("'{}'; expected an integer of 64 bits", text);
}

// CLI11 alone does not say what it expects.
std::string number_fault(const std::string& text) {
  return parse_double(text) ? "" : fmt::format("'{}'; expected a positive number", text);
}

// An empty word is what a script's unset variable leaves, and an option is no value.
std::string word_fault(const std::string& text) {
  return text.empty() || text.starts_with("--") ? fmt::format("'{}'; expected a value", text) : "";
}

}  // namespace

std::string_view name(Target target) {
  return target == Target::distance ? "distance" : "squared_distance";
}

std::optional<Options> parse_options(int argc, const char* const* argv) {
  Options options;
  Typed typed;
  CLI::App app{description, "siamese_landmarks"};
  app.set_version_flag("--version", "siamese_landmarks " SIAMESE_VERSION);
  app.add_option("--loss", typed.loss,
                 "as_written (the original script's, with its slip), or\n"
                 "DISTANCE[/CRITERION[:CONSTANT]]:\n" +
                     distance_names() +
                     "\n/ absolute, squared, huber:DELTA [as_written; with --all-pairs euclidean]");
  app.add_option("--target", typed.target,
                 "what a pair's distance is compared with: distance or\n"
                 "squared_distance [distance]");
  auto* const points =
      app.add_option("--points", options.points, "points in all, landmarks among them [41]");
  auto* const landmarks = app.add_option("--landmarks", options.landmarks,
                                         "the first so many points are landmarks [11]");
  auto* const dim = app.add_option("--dim", options.dimensions, "dimensions of the points [10]");
  auto* const data =
      app.add_option("--data", options.data,
                     "CSV or NPY file of your own points, one a row, instead of drawn\n"
                     "ones; a first column of text names them");
  app.add_option("--unit", options.unit, "unit of the coordinates, to show with results");
  auto* const seed =
      app.add_option("--seed", typed.seed, "of points, split and random coordinates [0]");
  auto* const init_seed = app.add_option("--init-seed", typed.init_seed,
                                         "of the network's weights and the batches [0]");
  auto* const epochs = app.add_option("--epochs", options.epochs,
                                      "passes over the pairs [100; with --all-pairs 4000 steps]");
  auto* const batch = app.add_option("--batch", options.batch, "pairs a step [128]");
  app.add_flag("--all-pairs", options.all_pairs,
               "every step takes all pairs of the training points, instead of a\n"
               "batch of them");
  app.add_option("--learning-rate", options.learning_rate, "Adam's [0.001]")
      ->check(number_fault, "");
  auto* const variant =
      app.add_option("--variant", options.variant,
                     "which kernel trains: op/device/variant/precision, or reference [the\n"
                     "best]; an unknown name is answered with those that there are");
  auto* const out =
      app.add_option("--out", options.out,
                     "new folder for data, loss, predictions, summary.json and pictures;\n"
                     "one that is there already and not empty is refused [nothing is\n"
                     "written]");
  app.add_flag("--no-pictures", typed.no_pictures, "write all but the pictures");
  for (CLI::Option* const integer : {points, landmarks, dim, seed, init_seed, epochs, batch}) {
    integer->check(integer_fault, "");
  }
  for (CLI::Option* const word : {data, variant, out}) word->check(word_fault, "");
  data->excludes(points)->excludes(dim);
  batch->excludes("--all-pairs");
  app.footer(
      "Exit code: 0 done; 1 for a file of points that cannot be used, a training that is no\n"
      "longer finite or results that cannot be written; 2 for options that cannot be; 130 when\n"
      "stopped.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    app.exit(success);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; --help lists the options", error.what()));
  }

  if (options.all_pairs && app.count("--loss") == 0) typed.loss = name(Distance::euclidean);
  options.loss = checked_loss(typed.loss);
  options.target = checked_target(typed.target);
  check_range("--seed", typed.seed, 0, std::numeric_limits<std::uint32_t>::max());
  check_range("--init-seed", typed.init_seed, 0, std::numeric_limits<std::int64_t>::max());
  options.seed = static_cast<std::uint32_t>(typed.seed);
  options.init_seed = static_cast<std::uint64_t>(typed.init_seed);
  options.pictures = !typed.no_pictures;
  if (epochs->count() == 0) {
    options.epochs = options.all_pairs ? default_all_pairs_steps : default_epochs;
  }
  check(options);
  return options;
}

}  // namespace siamese::landmarks
