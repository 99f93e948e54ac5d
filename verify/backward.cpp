#include "verify/backward.h"

#include <fmt/format.h>

#include "cpu_ref/backward.h"
#include "verify/rounding.h"

namespace siamese::verify {
namespace {

constexpr std::uint64_t gradient_stream = 2000003;

template <class T>
PairBackwardArgs<T> backward_shape(const ProblemSpec& spec) {
  PairBackwardArgs<T> args;
  args.network = &spec.network;
  args.points = spec.points;
  return args;
}

std::vector<double> concatenate_hidden(const std::vector<ref::RowMatrix<double>>& h) {
  std::vector<double> hidden;
  for (std::size_t l = 0; l + 1 < h.size(); ++l) {
    const std::span<const double> layer = elements(h[l]);
    hidden.insert(hidden.end(), layer.begin(), layer.end());
  }
  return hidden;
}

}  // namespace

template <>
PairBackwardArgs<float> shape_args(const ProblemSpec& spec) {
  return backward_shape<float>(spec);
}
template <>
PairBackwardArgs<double> shape_args(const ProblemSpec& spec) {
  return backward_shape<double>(spec);
}

PairBackwardProblem::PairBackwardProblem(const ProblemSpec& spec_) : spec(spec_) {
  const PairForwardProblem forward(spec);
  parameters = forward.parameters;
  x = forward.x;
  h = forward.h;
  for (ref::RowMatrix<double>& layer : h) {
    layer = layer.cast<float>().cast<double>().eval();
  }
  const std::int64_t width = spec.network.embedding_width();
  gradient = ref::load<double>(
      draw_uniform(spec.points * width, -1.0, 1.0, spec.seed + gradient_stream).data(), spec.points,
      width);
  want = ref::backward<double>(spec.network, parameters, x, h, gradient);
}

const std::vector<double>& PairBackwardProblem::rounding(Precision precision) const {
  return rounding_.get(precision, [&] {
    return rounding_slack(backward_variance(spec.network, parameters, x, h, no_errors(h), gradient,
                                            operand_roundoff(precision)));
  });
}

double gradient_tolerance(const Network& network, std::int64_t points, std::size_t layer,
                          Precision precision) {
  double relative = sum_tolerance(precision, points);
  for (std::size_t l = layer + 1; l < network.layers().size(); ++l) {
    relative +=
        sum_tolerance(precision, network.layers()[l].outputs) + 4.0 * operand_roundoff(precision);
  }
  return relative;
}

template <class T>
std::vector<ref::Comparison> compare_gradients(const ProblemSpec& spec, const std::vector<T>& got,
                                               const std::vector<double>& want,
                                               const std::vector<double>& slack,
                                               double extra_relative, Precision precision) {
  std::vector<ref::Comparison> comparisons;
  for (std::size_t l = 0; l < spec.network.layers().size(); ++l) {
    const Layer& layer = spec.network.layers()[l];
    const double relative =
        extra_relative + gradient_tolerance(spec.network, spec.points, l, precision);
    const auto weights = static_cast<std::size_t>(layer.inputs * layer.outputs);
    const auto compare_part = [&](std::string_view part, std::int64_t offset, std::size_t count,
                                  double least_scale) {
      const auto begin = static_cast<std::size_t>(offset);
      ref::Tolerance tolerance{.relative = relative, .least_scale = least_scale};
      if (!slack.empty()) {
        const std::span<const double> part_slack = std::span(slack).subspan(begin, count);
        tolerance.slack.assign(part_slack.begin(), part_slack.end());
      }
      comparisons.push_back(ref::compare<T>(fmt::format("gradients of {} {}", part, l + 1),
                                            std::span(got).subspan(begin, count),
                                            std::span(want).subspan(begin, count), tolerance));
    };
    compare_part("weights", layer.weights_offset, weights, 0.0);
    // Those of a bias may cancel to nothing; the weights' tell what size they were summed from.
    compare_part("bias", layer.bias_offset, static_cast<std::size_t>(layer.outputs),
                 root_mean_square(std::span(want).subspan(
                     static_cast<std::size_t>(layer.weights_offset), weights)));
  }
  return comparisons;
}

template std::vector<ref::Comparison> compare_gradients(const ProblemSpec&,
                                                        const std::vector<float>&,
                                                        const std::vector<double>&,
                                                        const std::vector<double>&, double,
                                                        Precision);
template std::vector<ref::Comparison> compare_gradients(const ProblemSpec&,
                                                        const std::vector<double>&,
                                                        const std::vector<double>&,
                                                        const std::vector<double>&, double,
                                                        Precision);

template <class T>
Trial<PairBackwardArgs<T>>::Trial(const Problem& problem, Device device)
    : problem_(problem),
      x_(upload<T>(device, problem.x)),
      parameters_(upload<T>(device, problem.parameters)),
      hidden_(upload<T>(device, concatenate_hidden(problem.h))),
      embeddings_(upload<T>(device, problem.h.back())),
      gradient_(upload<T>(device, problem.gradient)),
      gradients_(device, problem.spec.network.parameter_count()),
      args_(shape_args<PairBackwardArgs<T>>(problem.spec)) {
  args_.x = x_.data();
  args_.parameters = parameters_.data();
  args_.hidden = hidden_.data();
  args_.embeddings = embeddings_.data();
  args_.gradient = gradient_.data();
  args_.gradients = gradients_.data();
}

template <class T>
void Trial<PairBackwardArgs<T>>::reset() {
  gradients_.poison();
}

template <class T>
std::vector<ref::Comparison> Trial<PairBackwardArgs<T>>::compare(Precision precision) const {
  return compare_gradients(problem_.spec, gradients_.copy_out(), problem_.want,
                           problem_.rounding(precision), 0.0, precision);
}

template class Trial<PairBackwardArgs<float>>;
template class Trial<PairBackwardArgs<double>>;

}  // namespace siamese::verify
