#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "landmarks/report.h"
#include "model/csv.h"
#include "model/npy.h"

namespace siamese::landmarks {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> numbered(std::string_view stem, std::int64_t count, bool labelled) {
  std::vector<std::string> header;
  if (labelled) header.emplace_back("name");
  for (std::int64_t i = 0; i < count; ++i) header.push_back(fmt::format("{}{}", stem, i));
  return header;
}

std::string points_csv(std::string_view stem, const Matrix<double>& points,
                       const std::vector<std::string>& labels) {
  return format_csv({numbered(stem, points.columns, !labels.empty()), labels, points});
}

std::string split_csv(const Split& split) {
  CsvTable table;
  table.header = {"part", "point"};
  const auto add = [&table](std::string_view part, const std::vector<std::int64_t>& rows) {
    for (const std::int64_t row : rows) {
      table.labels.emplace_back(part);
      table.values.elements.push_back(static_cast<double>(row));
    }
  };
  add("train", split.train);
  add("test", split.test);
  table.values.rows = static_cast<std::int64_t>(table.labels.size());
  table.values.columns = 1;
  return format_csv(table);
}

// The pairs by the points' numbers in points.csv, with the targets that the training had, times
// `target_scale`. In pieces, for as text they take several times the memory of the training.
void write_pairs(AtomicFile&& file, const TrainingTask& task, const Split& split,
                 double target_scale) {
  constexpr std::int64_t most_rows = 1 << 16;
  const auto point = [&split](PointIndex index) {
    return static_cast<double>(split.train[static_cast<std::size_t>(index)]);
  };
  CsvTable piece{{"first", "second", "target"}, {}, {}};
  for (std::int64_t begin = 0; begin < task.pair_count(); begin += most_rows) {
    piece.values = Matrix<double>(std::min(most_rows, task.pair_count() - begin), 3);
    for (std::int64_t row = 0; row < piece.values.rows; ++row) {
      const auto i = static_cast<std::size_t>(begin + row);
      piece.values(row, 0) = point(task.pairs.first[i]);
      piece.values(row, 1) = point(task.pairs.second[i]);
      piece.values(row, 2) = target_scale * task.targets[i];
    }
    file.write(format_csv(piece));
    piece.header.clear();  // it stands above the first piece alone
  }
  file.commit();
}

Matrix<double> scaled_by(double factor, Matrix<double> values) {
  for (double& value : values.elements) value *= factor;
  return values;
}

std::string loss_csv(const std::vector<double>& curve) {
  Matrix<double> values(static_cast<std::int64_t>(curve.size()), 2);
  for (std::int64_t e = 0; e < values.rows; ++e) {
    values(e, 0) = static_cast<double>(e + 1);
    values(e, 1) = curve[static_cast<std::size_t>(e)];
  }
  return format_csv({{"epoch", "loss"}, {}, std::move(values)});
}

Json json(const Measures& measures) {
  return {{"error_per_point", measures.error_per_point},
          {"error_per_pair", measures.error_per_pair},
          {"correlation", measures.correlation ? Json(*measures.correlation) : Json()},
          {"scale", measures.scale}};
}

// Every number in it is finite, as JSON demands: a correlation that is not defined is null.
Json summary(const Options& options, const Dataset& data, const Results& results) {
  const TrainingTask& task = results.task;
  Json json_summary;
  json_summary["program"] = "siamese_landmarks " SIAMESE_VERSION;
  json_summary["data"] = {{"source", options.data.empty() ? "drawn" : options.data},
                          {"seed", options.seed},
                          {"points", data.points.rows},
                          {"landmarks", options.landmarks},
                          {"dimensions", data.points.columns},
                          {"train_points", data.scaled.split.train.size()},
                          {"test_points", data.scaled.split.test.size()},
                          {"unit", options.unit},
                          {"divided_by", data.scaling.scale},
                          {"offset", data.scaling.offset}};
  json_summary["training"] = {{"network", task.network.name()},
                              {"parameters", task.parameters.size()},
                              {"init_seed", options.init_seed},
                              {"loss", options.loss_name()},
                              {"target", name(options.target)},
                              {"pairs", task.pair_count()},
                              {"pair_form", options.all_pairs ? "all" : "listed"},
                              {"batch", options.all_pairs ? task.pair_count() : options.batch},
                              {"epochs", options.epochs},
                              {"adam", name(task.adam.form)},
                              {"learning_rate", options.learning_rate},
                              {"variant", results.trained_by},
                              {"seconds", results.seconds},
                              {"first_loss", results.loss_curve.front()},
                              {"last_loss", results.loss_curve.back()},
                              {"random_loss", results.random_loss}};
  json_summary["test"] = {{"pairs", results.network.pairs},
                          {"network", json(results.network)},
                          {"random", json(results.random)},
                          {"multilateration", json(results.multilateration)},
                          {"position_error", results.position_error},
                          {"relation", describe_relation(results.network)}};
  return json_summary;
}

}  // namespace

void write_results(OutputFolder& folder, const Options& options, const Dataset& data,
                   const Results& results) {
  folder.write("points.csv", points_csv("x", data.points, data.labels));
  folder.write("points.npy", format_npy(data.points));
  const double unit = data.scaling.scale;
  folder.write("features.csv",
               points_csv("distance", scaled_by(unit, data.scaled.features), data.labels));
  folder.write("split.csv", split_csv(data.scaled.split));
  if (!options.all_pairs) {
    const double target_unit = options.target == Target::squared_distance ? unit * unit : unit;
    write_pairs(folder.file("pairs.csv"), results.task, data.scaled.split, target_unit);
  }
  folder.write("loss.csv", loss_csv(results.loss_curve));
  folder.write("predictions.csv", points_csv("x", results.predicted, data.labels));
  folder.write("predictions.npy", format_npy(results.predicted));
  folder.write("aligned.csv", points_csv("x", results.aligned, data.labels));
  // A file's name may be no UTF-8, which JSON demands: its other bytes are then replaced.
  const Json json_summary = summary(options, data, results);
  const auto replace = Json::error_handler_t::replace;
  folder.write("summary.json", json_summary.dump(2, ' ', false, replace) + "\n");
}

}  // namespace siamese::landmarks
