#include "verify/forward.h"

#include <fmt/format.h>

#include <cmath>

#include "cpu_ref/forward.h"
#include "verify/rounding.h"

namespace siamese::verify {

PairForwardProblem::PairForwardProblem(const ProblemSpec& spec_) : spec(spec_) {
  const std::vector<float> drawn = draw_parameters(spec);
  parameters = cast<double>(drawn);
  x = ref::load<double>(draw_points(spec, drawn).data(), spec.points, spec.network.input_width());
  h = ref::forward<double>(spec.network, parameters, x);
}

namespace {

// Of each layer. Where operands are used as they are stored there is no slack.
std::vector<ref::Tolerance> forward_tolerances(const PairForwardProblem& problem,
                                               Precision precision) {
  const Network& network = problem.spec.network;
  std::vector<ref::Tolerance> tolerances;
  for (std::size_t l = 0; l < problem.h.size(); ++l) {
    tolerances.push_back({forward_tolerance(network, l, precision)});
  }
  const double roundoff = operand_roundoff(precision);
  if (roundoff == 0.0) return tolerances;
  const ForwardErrors errors =
      forward_errors(network, problem.parameters, problem.x, problem.h, roundoff);
  for (std::size_t l = 0; l < tolerances.size(); ++l) {
    tolerances[l].slack = rounding_slack(elements(errors.h[l]));
  }
  return tolerances;
}

}  // namespace

double forward_tolerance(const Network& network, std::size_t layer, Precision precision) {
  double relative = 0.0;
  for (std::size_t l = 0; l <= layer; ++l) {
    relative += sum_tolerance(precision, network.layers()[l].inputs);
  }
  return relative;
}

template <class T>
PairForwardArgs<T> forward_shape(const ProblemSpec& spec) {
  PairForwardArgs<T> args;
  args.network = &spec.network;
  args.points = spec.points;
  return args;
}
template <>
PairForwardArgs<float> shape_args(const ProblemSpec& spec) {
  return forward_shape<float>(spec);
}
template <>
PairForwardArgs<double> shape_args(const ProblemSpec& spec) {
  return forward_shape<double>(spec);
}

template <class T>
Trial<PairForwardArgs<T>>::Trial(const Problem& problem, Device device)
    : problem_(problem),
      x_(upload<T>(device, problem.x)),
      parameters_(upload<T>(device, problem.parameters)),
      hidden_(device, problem.spec.points * problem.spec.network.hidden_width()),
      embeddings_(device, problem.spec.points * problem.spec.network.embedding_width()),
      args_(shape_args<PairForwardArgs<T>>(problem.spec)) {
  args_.x = x_.data();
  args_.parameters = parameters_.data();
  args_.hidden = hidden_.data();
  args_.embeddings = embeddings_.data();
}

template <class T>
void Trial<PairForwardArgs<T>>::reset() {
  hidden_.poison();
  embeddings_.poison();
}

template <class T>
std::vector<ref::Comparison> Trial<PairForwardArgs<T>>::compare(Precision precision) const {
  const std::vector<T> hidden = hidden_.copy_out();
  const std::vector<T> embeddings = embeddings_.copy_out();
  std::span<const T> rest(hidden);
  const auto& tolerances =
      tolerances_.get(precision, [&] { return forward_tolerances(problem_, precision); });
  std::vector<ref::Comparison> comparisons;
  for (std::size_t l = 0; l < problem_.h.size(); ++l) {
    const std::span<const double> want = elements(problem_.h[l]);
    const bool last = l + 1 == problem_.h.size();
    const std::span<const T> got = last ? std::span<const T>(embeddings) : rest.first(want.size());
    comparisons.push_back(ref::compare<T>(
        last ? "embeddings" : fmt::format("hidden layer {}", l + 1), got, want, tolerances[l]));
    if (!last) rest = rest.subspan(want.size());
  }
  return comparisons;
}

template class Trial<PairForwardArgs<float>>;
template class Trial<PairForwardArgs<double>>;

}  // namespace siamese::verify
