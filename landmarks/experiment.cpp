#include "landmarks/experiment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "cpu_ref/forward.h"
#include "cpu_ref/loss.h"
#include "landmarks/geometry.h"
#include "landmarks/interrupt.h"
#include "landmarks/progress.h"
#include "model/csv.h"
#include "model/error.h"
#include "model/npy.h"
#include "model/numbers.h"
#include "model/parameters.h"

namespace siamese::landmarks {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Refuses sizes whose arrays this machine cannot hold, before it tries to.
void check_memory(const Options& options, std::int64_t points, std::int64_t dimensions) {
  const auto n = static_cast<double>(points);
  const auto k = static_cast<double>(options.landmarks);
  const auto c = static_cast<double>(dimensions);
  const auto trained = static_cast<double>(points - test_count(points));
  const double coordinates = 8.0 * n * (6.0 * c + 3.0 * k);
  const double activations = 8.0 * trained * 4.0 * 400.0;
  const double parameters = 40.0 * 200.0 * (k + c + 200.0);
  const double pairs = options.all_pairs ? 0.0 : 32.0 * trained * trained / 2.0;
  const double needed = coordinates + activations + parameters + pairs;
  const double there = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) *
                       static_cast<double>(::sysconf(_SC_PAGE_SIZE));
  if (needed <= there) return;
  throw UsageError(fmt::format(
      "{}, {} and {} need about {:.3g} GB; expected at most the {:.3g} GB of this machine's "
      "memory{}",
      counted(points, "point"), counted(options.landmarks, "landmark"),
      counted(dimensions, "dimension"), needed / 1e9, there / 1e9,
      pairs > needed / 2 ? " (--all-pairs needs no list of pairs)" : ""));
}

struct ReadPoints {
  Matrix<double> points;
  std::vector<std::string> labels;
};

ReadPoints read_points(const std::filesystem::path& path) {
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == ".npy") return {read_npy(path), {}};
  if (extension == ".csv") {
    CsvTable table = read_csv(path);
    return {std::move(table.values), std::move(table.labels)};
  }
  throw Failure(
      fmt::format("--data '{}'; expected a name that ends in .csv or .npy", path.string()));
}

double mean_position_error(const Matrix<double>& truth, const Matrix<double>& placed,
                           const std::vector<std::int64_t>& rows) {
  double sum = 0;
  for (const std::int64_t row : rows) sum += point_distance(truth.row(row), placed.row(row));
  return sum / static_cast<double>(rows.size());
}

// The error of uniform random coordinates, the mean over so many draws that it hardly depends on
// them, and fewer where a draw is much work; the correlation, over the draws that have one.
Measures measure_random(const Dataset& data, const Matrix<double>& truth, NumpyRandom& random) {
  constexpr std::int64_t most_draws = 1000;
  constexpr std::int64_t most_coordinates = 200'000'000;
  const std::int64_t of_a_pair = truth.columns + 10;  // its roots and sums take as long as ten
  const std::int64_t draws = std::clamp<std::int64_t>(
      most_coordinates / (all_pairs_count(truth.rows) * of_a_pair), 1, most_draws);
  Measures mean;
  std::int64_t related = 0;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    check_interrupt();
    Matrix<double> guess(truth.rows, truth.columns);
    for (double& coordinate : guess.elements) coordinate = random.random_sample();
    const Measures one = measure(truth, data.unscaled(guess));
    const auto weight = 1.0 / static_cast<double>(draws);
    mean.pairs = one.pairs;
    mean.error_per_point += weight * one.error_per_point;
    mean.error_per_pair += weight * one.error_per_pair;
    mean.scale += weight * one.scale;
    if (!one.correlation) continue;
    ++related;
    const double before = mean.correlation.value_or(0);
    mean.correlation = before + (*one.correlation - before) / static_cast<double>(related);
  }
  return mean;
}

// What training compares the distances of listed pairs of scaled points with.
std::vector<double> targets_of(const Options& options, const Matrix<double>& points,
                               const PairList& pairs) {
  std::vector<double> targets = pair_distances(points, pairs);
  if (options.target == Target::squared_distance) {
    for (double& target : targets) target *= target;
  }
  return targets;
}

// What the training needs of dataset and options.
TrainingTask make_task(const Options& options, const Dataset& data) {
  TrainingTask task;
  task.network = seed_network(options.landmarks, data.points.columns);
  task.parameters = options.loss
                        ? initial_parameters(task.network, *options.loss, options.init_seed)
                        : glorot_uniform(task.network, options.init_seed);
  if (options.loss) check_loss(task.network, *options.loss);
  task.x = select_rows(data.scaled.features, data.scaled.split.train);
  task.loss = options.loss;
  task.adam.learning_rate = options.learning_rate;
  task.shuffle_seed = options.init_seed;
  task.all_pairs = options.all_pairs;

  const Matrix<double> trained = select_rows(data.scaled.points, data.scaled.split.train);
  if (task.all_pairs) {
    task.coordinates = trained;
    return task;
  }
  task.batch = options.batch;
  task.pairs = all_pairs_list(trained.rows);
  task.targets = targets_of(options, trained, task.pairs);
  return task;
}

// The loss of uniform random coordinates under the merge that training begins with, as a sample of
// the training points tells it.
double measure_random_loss(const Options& options, const TrainingTask& task, const Dataset& data,
                           NumpyRandom& random) {
  constexpr std::size_t most_points = 60;
  const std::span<const std::int64_t> train(data.scaled.split.train);
  const Matrix<double> points =
      select_rows(data.scaled.points, train.first(std::min(most_points, train.size())));
  const PairList pairs = all_pairs_list(points.rows);
  const std::vector<double> targets = targets_of(options, points, pairs);
  ref::RowMatrix<double> guess(points.rows, points.columns);
  std::generate_n(guess.data(), guess.size(), [&random] { return random.random_sample(); });
  if (!options.loss) return ref::as_written_loss<double>(guess, pairs, targets).value;
  const std::vector<double> merge(task.parameters.begin() + task.network.parameter_count(),
                                  task.parameters.end());
  return ref::pair_loss<double>(*options.loss, guess, pairs, targets, merge).value;
}

// Trains in calls of about a tenth of a second, between which progress is told and Ctrl-C heard.
std::vector<double> train(Trainer& trainer, std::int64_t epochs) {
  constexpr double call_seconds = 0.1;
  std::vector<double> curve;
  Progress progress(epochs);
  std::int64_t call = 1;
  while (static_cast<std::int64_t>(curve.size()) < epochs) {
    const std::int64_t done = static_cast<std::int64_t>(curve.size());
    call = std::min(call, epochs - done);
    const auto start = Clock::now();
    const std::vector<double> losses = trainer.train(call);
    const double seconds = seconds_since(start);
    for (const double loss : losses) {
      curve.push_back(loss);
      if (!std::isfinite(loss)) {
        throw Failure(
            fmt::format("training: the loss is {} in epoch {}; expected a finite number "
                        "(a lower --learning-rate may help)",
                        loss, curve.size()));
      }
    }
    progress.update(static_cast<std::int64_t>(curve.size()), curve.back());
    check_interrupt();
    const double fitting = static_cast<double>(call) * call_seconds / std::max(seconds, 1e-6);
    call = std::clamp<std::int64_t>(static_cast<std::int64_t>(fitting), 1, 2 * call);
  }
  return curve;
}

// The network's output for every point, computed by the reference, whoever trained it. What the
// last update left no loss tells: it is of before.
Matrix<double> predict(const TrainingTask& task, const std::vector<double>& parameters,
                       const Matrix<double>& features) {
  const auto x = ref::load<double>(features.data(), features.rows, features.columns);
  const auto embeddings = ref::forward<double>(task.network, parameters, x).back();
  if (!embeddings.allFinite()) {
    throw Failure(
        "training: it left a network whose outputs are not finite; expected finite numbers (a "
        "lower --learning-rate may help)");
  }
  Matrix<double> predicted(embeddings.rows(), embeddings.cols());
  std::copy_n(embeddings.data(), embeddings.size(), predicted.data());
  return predicted;
}

}  // namespace

Matrix<double> Dataset::unscaled(const Matrix<double>& scaled_points) const {
  Matrix<double> result = scaled_points;
  for (std::int64_t r = 0; r < result.rows; ++r) {
    for (std::int64_t c = 0; c < result.columns; ++c) {
      result(r, c) = result(r, c) * scaling.scale + scaling.offset[static_cast<std::size_t>(c)];
    }
  }
  return result;
}

Dataset make_dataset(const Options& options, NumpyRandom& random) {
  Dataset data;
  if (options.data.empty()) {
    check_memory(options, options.points, options.dimensions);
    data.scaled =
        uniform_landmark_data(options.points, options.landmarks, options.dimensions, random);
    data.scaling.offset.assign(static_cast<std::size_t>(options.dimensions), 0.0);
    data.points = data.scaled.points;
    return data;
  }
  ReadPoints read = read_points(options.data);
  try {
    check_memory(options, read.points.rows, read.points.columns);
    data.points = read.points;
    data.labels = std::move(read.labels);
    if (data.points.elements.empty()) throw UsageError("no points; expected at least 5");
    data.scaling = scale_to_unit(read.points);
    data.scaled = landmark_data(std::move(read.points), options.landmarks, random);
  } catch (const std::runtime_error& error) {  // whatever is wrong with the file's points
    throw Failure(fmt::format("--data '{}': {}", options.data, error.what()));
  }
  return data;
}

Results run_experiment(const Options& options, const Dataset& data, NumpyRandom& random) {
  Results results;
  results.task = make_task(options, data);
  const TrainingTask& task = results.task;
  const std::unique_ptr<Trainer> trainer = make_trainer(task, options.variant);
  results.trained_by = trainer->name();
  const auto start = Clock::now();
  results.loss_curve = train(*trainer, options.epochs);
  results.seconds = seconds_since(start);

  const std::vector<std::int64_t>& test = data.scaled.split.test;
  results.predicted = data.unscaled(predict(task, trainer->parameters(), data.scaled.features));
  check_interrupt();
  results.aligned = align(results.predicted, data.points, data.scaled.split.train);
  check_interrupt();

  std::vector<std::int64_t> landmarks(static_cast<std::size_t>(options.landmarks));
  for (std::size_t k = 0; k < landmarks.size(); ++k) landmarks[k] = static_cast<std::int64_t>(k);
  const Multilateration located =
      multilaterate(select_rows(data.scaled.points, landmarks), data.scaled.features);
  results.multilaterated = data.unscaled(located.points);
  results.landmark_rank = located.rank;
  check_interrupt();

  const Matrix<double> truth = select_rows(data.points, test);
  results.network = measure(truth, select_rows(results.predicted, test));
  results.multilateration = measure(truth, select_rows(results.multilaterated, test));
  results.random = measure_random(data, truth, random);
  results.random_loss = measure_random_loss(options, task, data, random);
  results.position_error = mean_position_error(data.points, results.aligned, test);
  return results;
}

}  // namespace siamese::landmarks
