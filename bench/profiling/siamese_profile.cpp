#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/axes.h"
#include "bench/command_line.h"
#include "bench/find_variant.h"
#include "bench/memory.h"
#include "bench/profiling/profiler.h"
#include "bench/work.h"
#include "kernels/cpu/parallel.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"
#include "verify/adam.h"
#include "verify/backward.h"
#include "verify/forward.h"
#include "verify/loss.h"
#include "verify/train.h"

// One case for a profiler to look at: a row of the benchmark by its name, verified, warmed up, and
// then launched a few times within a profiled range. Prints what the case must do at least.

namespace siamese::bench {
namespace {

using verify::ProblemSpec;
using verify::Trial;

/// op/device_variant/precision/shape, split.
struct Case {
  std::string op;
  std::string variant;  ///< device_variant/precision
  std::string shape;
  Network network = seed_network();
  Loss loss = {};
  std::int64_t launches = 1;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts{""};
  for (const char c : text) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

ProblemSpec problem_spec(const Case& wanted) {
  ProblemSpec spec = parse_shape(wanted.op, wanted.shape, wanted.network);
  spec.loss = wanted.loss;
  return spec;
}

template <class Args>
void profile(const Case& wanted) {
  const ProblemSpec spec = problem_spec(wanted);
  const Args shape = verify::shape_args<Args>(spec);
  const Variant<Args>& variant = find_variant(wanted.variant, shape);
  if (const auto reason = why_too_large(spec)) throw Failure(wanted.shape + ": " + *reason);
  const typename Trial<Args>::Problem problem(spec);
  Trial<Args> trial(problem, variant.device);
  trial.reset();
  const Launch launch = variant.prepare(trial.args());
  launch(Stream{});  // the warm-up, which also shows that what is profiled is right
  backend(variant.device).synchronize(Stream{});
  for (const ref::Comparison& comparison : trial.compare(variant.precision)) {
    if (!comparison.ok) throw Failure(comparison.describe());
  }
  trial.reset();
  start_profiler(variant.device);
  for (std::int64_t i = 0; i < wanted.launches; ++i) launch(Stream{});
  backend(variant.device).synchronize(Stream{});
  stop_profiler(variant.device);
  const Work least = work(shape);
  fmt::print(
      "{{\"case\": \"{}/{}/{}\", \"launches\": {}, \"operations\": {:.17g}, "
      "\"bytes\": {:.17g}}}\n",
      wanted.op, wanted.variant, wanted.shape, wanted.launches, least.operations, least.bytes);
}

/// Prints the rows of the CUDA variants that can serve the shape.
template <class Args>
void list_rows(const Case& wanted) {
  const ProblemSpec spec = problem_spec(wanted);
  const Args shape = verify::shape_args<Args>(spec);
  for (const Variant<Args>& variant : variants<Args>()) {
    if (variant.device != Device::cuda || variant.why_unsupported(shape)) continue;
    fmt::print("{}/{}_{}/{}/{}\n", wanted.op, name(variant.device), variant.name,
               name(variant.precision), wanted.shape);
  }
}

template <template <class> class Args>
void list_op(const Case& wanted) {
  list_rows<Args<float>>(wanted);
  list_rows<Args<double>>(wanted);
}

template <template <class> class Args>
void profile_op(const Case& wanted) {
  const bool wide = wanted.variant.ends_with(fmt::format("/{}", name(Precision::float64)));
  wide ? profile<Args<double>>(wanted) : profile<Args<float>>(wanted);
}

struct Op {
  void (*profile)(const Case&);
  void (*list)(const Case&);
};

template <template <class> class Args>
constexpr Op op_of{profile_op<Args>, list_op<Args>};

const Op& find_op(const std::string& wanted) {
  static const std::map<std::string_view, Op> ops{
      {op_name<PairForwardArgs<float>>, op_of<PairForwardArgs>},
      {op_name<DistanceLossArgs<float>>, op_of<DistanceLossArgs>},
      {op_name<AllPairsLossArgs<float>>, op_of<AllPairsLossArgs>},
      {op_name<PairBackwardArgs<float>>, op_of<PairBackwardArgs>},
      {op_name<AdamArgs<float>>, op_of<AdamArgs>},
      {op_name<TrainStepArgs<float>>, op_of<TrainStepArgs>},
      {op_name<FitArgs<float>>, op_of<FitArgs>},
  };
  const auto op = ops.find(wanted);
  if (op == ops.end()) {
    std::string names;
    for (const auto& [name, _] : ops) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
    throw UsageError(fmt::format("'{}' is no op; expected one of: {}", wanted, names));
  }
  return op->second;
}

int run(int argc, char** argv) {
  std::string text;
  std::string network = seed_network().name();
  std::string loss = name(Loss{});
  Case wanted;
  int threads = most_threads();
  CLI::App app("Runs one row of the benchmark for a profiler.", "siamese_profile");
  bool list = false;
  app.add_option("row", text,
                 "as siamese_bench --benchmark_list_tests names it, of any counts; with --list "
                 "OP/SHAPE")
      ->required();
  app.add_flag("--list", list, "names the CUDA variants that can serve OP/SHAPE");
  add_count(app, "--launches", wanted.launches, 1000000, "in the profiled range");
  add_problem(app, network, loss);
  add_count(app, "--threads", threads, most_threads_asked, "of CPU variants");
  if (!parse_command_line(app, argc, argv)) return 0;
  const std::vector<std::string> parts = split(text);
  if (parts.size() < (list ? 2 : 4)) {
    throw UsageError(fmt::format("'{}'; expected {}/form/points:N/pairs:M", text,
                                 list ? "op" : "op/device_variant/precision"));
  }
  wanted.op = parts[0];
  wanted.variant = list ? "" : parts[1] + "/" + parts[2];
  wanted.shape = text.substr(wanted.op.size() + 1 + (list ? 0 : wanted.variant.size() + 1));
  wanted.network = Network::parse(network);
  wanted.loss = parse_loss(loss);
  set_most_threads(threads);
  const Op& op = find_op(wanted.op);
  (list ? op.list : op.profile)(wanted);
  return 0;
}

}  // namespace
}  // namespace siamese::bench

int main(int argc, char** argv) {
  return siamese::bench::exit_code_of("siamese_profile",
                                      [&] { return siamese::bench::run(argc, argv); });
}
