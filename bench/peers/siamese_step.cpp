#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/axes.h"
#include "bench/ceilings.h"
#include "bench/command_line.h"
#include "bench/context.h"
#include "bench/find_variant.h"
#include "bench/memory.h"
#include "bench/timing.h"
#include "bench/work.h"
#include "kernels/cpu/parallel.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"
#include "model/file.h"
#include "model/matrix.h"
#include "model/npy.h"
#include "verify/train.h"

// One training step, or a whole training, beside those of other libraries: `export` writes the
// problem and the reference's loss and gradients as files that they read, `serve` runs one of this
// project's variants on it, verified, and times it whenever it is told to, so that everyone can be
// measured in turn; `serve --op peak` does as many operations as the step has, and nothing else.
// `devices` tells which devices there are to measure on, `context` machine, build and problem, as
// the results of siamese_bench have them.

namespace siamese::bench {
namespace {

using verify::ProblemSpec;
using verify::Trial;

// The experiment that the project started from: 100 epochs in batches of 128.
constexpr std::int64_t epochs = 100;
constexpr std::int64_t batch = 128;

struct Command {
  std::string shape;
  std::string network = seed_network().name();
  std::string loss = name(Loss{});
  std::string op = "train_step";
  std::string variant = "cpu_tiled/float32";
  std::string folder;
  int threads = most_threads();
};

ProblemSpec problem_spec(const Command& command) {
  ProblemSpec spec = parse_shape(command.op, command.shape, Network::parse(command.network));
  spec.loss = parse_loss(command.loss);
  if (const auto reason = why_too_large(spec)) throw Failure(command.shape + ": " + *reason);
  return spec;
}

template <class T>
Matrix<double> column(const std::vector<T>& values) {
  Matrix<double> matrix(static_cast<std::int64_t>(values.size()), 1);
  matrix.elements.assign(values.begin(), values.end());
  return matrix;
}

Matrix<double> plain(const ref::RowMatrix<double>& from) {
  Matrix<double> matrix(from.rows(), from.cols());
  matrix.elements.assign(from.data(), from.data() + from.size());
  return matrix;
}

void export_problem(const Command& command) {
  const ProblemSpec spec = problem_spec(command);
  const verify::TrainStepProblem problem(spec);
  const std::filesystem::path folder = command.folder;
  std::filesystem::create_directories(folder);
  const auto write = [&](const char* file, const Matrix<double>& matrix) {
    write_file(folder / file, format_npy(matrix));
  };
  write("x.npy", plain(problem.x));
  write("parameters.npy", column(problem.parameters));
  if (spec.form == PairForm::all) {
    write("coordinates.npy", plain(problem.given.coordinates));
  } else {
    write("first.npy", column(problem.given.list.first));
    write("second.npy", column(problem.given.list.second));
    write("targets.npy", column(problem.given.targets));
  }
  // The problem's first moments begin at 0, and so hold the gradients after its step.
  std::vector<double> gradients = problem.want_state.m;
  for (double& g : gradients) g /= 1.0 - spec.adam.beta1;
  write("gradients.npy", column(gradients));

  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const Layer& layer : spec.network.layers()) {
    layers.push_back({{"inputs", layer.inputs},
                      {"outputs", layer.outputs},
                      {"activation", name(layer.activation)}});
  }
  const Work step = work(verify::shape_args<TrainStepArgs<float>>(spec));
  const nlohmann::ordered_json description{
      {"form", name(spec.form)},
      {"points", spec.points},
      {"pairs", spec.pairs},
      {"layers", layers},
      {"distance", name(spec.loss.distance)},
      {"criterion", name(spec.loss.criterion)},
      {"learning_rate", spec.adam.learning_rate},
      {"beta1", spec.adam.beta1},
      {"beta2", spec.adam.beta2},
      {"epsilon", spec.adam.epsilon},
      {"epochs", epochs},
      {"batch", batch},
      {"loss", problem.want_loss},
      {"operations", step.operations},
      {"bytes", step.bytes},
  };
  write_file(folder / "problem.json", description.dump(2) + "\n");
}

template <class Args>
void verify_once(const Variant<Args>& variant, Trial<Args>& trial) {
  for (const ref::Comparison& comparison : verify::run_and_compare(variant, trial)) {
    if (!comparison.ok) throw Failure(comparison.describe());
  }
}

// For each number N that comes in, a line with the seconds of one of N steps, by the clock and of
// all threads' processor time; `take` takes N steps and returns the seconds of all.
void serve(const std::function<double(std::int64_t)>& take) {
  fmt::print("{{\"ready\": true}}\n");
  std::fflush(stdout);
  std::int64_t steps = 0;
  while (std::cin >> steps) {
    const double begin_cpu = process_seconds();
    const double seconds = take(steps);
    const double cpu_seconds = process_seconds() - begin_cpu;
    const auto count = static_cast<double>(steps);
    fmt::print("{{\"seconds\": {:.9g}, \"cpu_seconds\": {:.9g}}}\n", seconds / count,
               cpu_seconds / count);
    std::fflush(stdout);
  }
}

// Launches, one behind the other: what the host does between them counts, as it does in other
// libraries.
void serve(Device device, const Launch& launch) {
  serve([&](std::int64_t launches) {
    const double begin = now();
    for (std::int64_t i = 0; i < launches; ++i) launch(Stream{});
    backend(device).synchronize(Stream{});
    return now() - begin;
  });
}

// A training step's operations as multiply-adds on registers alone: the least time that arithmetic
// leaves it, on as many cores.
void serve_peak(const Command& command) {
  ProblemSpec spec = parse_shape("train_step", command.shape, Network::parse(command.network));
  spec.loss = parse_loss(command.loss);
  const double operations = work(verify::shape_args<TrainStepArgs<float>>(spec)).operations;
  serve([&](std::int64_t steps) {
    return multiply_add_seconds(operations * static_cast<double>(steps), command.threads);
  });
}

void serve_step(const Command& command) {
  using Args = TrainStepArgs<float>;
  const verify::TrainStepProblem problem(problem_spec(command));
  const Variant<Args>& variant =
      find_variant(command.variant, verify::shape_args<Args>(problem.spec));
  Trial<Args> trial(problem, variant.device);
  verify_once(variant, trial);
  trial.reset();
  serve(variant.device, variant.prepare(trial.args()));
}

void serve_training(const Command& command) {
  using Args = FitArgs<float>;
  const verify::FitProblem problem(problem_spec(command));
  const Variant<Args>& variant =
      find_variant(command.variant, verify::shape_args<Args>(problem.begin.spec));
  Trial<Args> trial(problem, variant.device);
  verify_once(variant, trial);
  trial.reset();
  const Buffer<double> losses(variant.device, epochs);
  Args args = trial.args();
  args.epochs = epochs;
  args.batch = batch;
  args.training.loss_value = losses.data();
  serve(variant.device, variant.prepare(args));
}

void print_devices() {
  nlohmann::ordered_json devices;
  for (const Device device : {Device::cpu, Device::cuda}) {
    const auto reason = backend(device).why_unavailable();
    devices[std::string(name(device))] = {{"usable", !reason},
                                          {"is", reason ? *reason : backend(device).description()}};
  }
  fmt::print("{}\n", devices.dump());
}

void print_context(const Command& command) {
  Options options;
  options.network = Network::parse(command.network);
  options.loss = parse_loss(command.loss);
  options.threads = command.threads;
  fmt::print("{}\n", nlohmann::ordered_json(describe(options)).dump());
}

int run(int argc, char** argv) {
  Command command;
  CLI::App app("A training step for comparison with other libraries.", "siamese_step");
  app.require_subcommand(1);
  CLI::App* const lister = app.add_subcommand("devices", "tells which devices can be used");
  CLI::App* const teller = app.add_subcommand("context", "tells machine, build and problem");
  CLI::App* const exporter = app.add_subcommand("export", "writes the problem as files");
  CLI::App* const server = app.add_subcommand("serve", "runs a variant as often as it reads");
  for (CLI::App* const part : {exporter, server}) {
    part->add_option("shape", command.shape, "e.g. dense/points:256/pairs:128")->required();
  }
  for (CLI::App* const part : {teller, exporter, server}) {
    add_problem(*part, command.network, command.loss);
  }
  exporter->add_option("folder", command.folder, "where to")->required();
  server->add_option("--op", command.op, "what is run; default " + command.op)
      ->check(CLI::IsMember({"train_step", "fit", "peak"}));
  server->add_option("--variant", command.variant,
                     "device_variant/precision; default " + command.variant);
  add_count(*server, "--threads", command.threads, most_threads_asked, "of CPU variants");
  if (!parse_command_line(app, argc, argv)) return 0;
  set_most_threads(command.threads);
  if (*lister) {
    print_devices();
  } else if (*teller) {
    print_context(command);
  } else if (*exporter) {
    export_problem(command);
  } else if (command.op == "peak") {
    serve_peak(command);
  } else if (command.op == "fit") {
    serve_training(command);
  } else {
    serve_step(command);
  }
  return 0;
}

}  // namespace
}  // namespace siamese::bench

int main(int argc, char** argv) {
  return siamese::bench::exit_code_of("siamese_step",
                                      [&] { return siamese::bench::run(argc, argv); });
}
