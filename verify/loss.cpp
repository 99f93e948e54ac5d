#include "verify/loss.h"

#include <algorithm>

namespace siamese::verify {
namespace {

constexpr std::uint64_t embedding_stream = 1000003;

template <class T>
void set_pairs(DistanceLossArgs<T>& args, const Pairs<T>& pairs) {
  args.pairs = pairs;
}

template <class T>
void set_pairs(AllPairsLossArgs<T>& args, const Pairs<T>& pairs) {
  args.coordinates = pairs.coordinates;
  args.coordinate_width = pairs.coordinate_width;
}

template <class Args>
Args loss_shape(const ProblemSpec& spec) {
  Args args;
  args.points = spec.points;
  args.width = spec.network.embedding_width();
  args.loss = spec.loss;
  return args;
}

template <class T>
DistanceLossArgs<T> distance_loss_shape(const ProblemSpec& spec) {
  auto args = loss_shape<DistanceLossArgs<T>>(spec);
  args.pairs.form = spec.form;
  args.pairs.count = spec.pairs;
  return args;
}

template <class T>
AllPairsLossArgs<T> all_pairs_loss_shape(const ProblemSpec& spec) {
  auto args = loss_shape<AllPairsLossArgs<T>>(spec);
  args.coordinate_width = coordinate_width(spec);
  return args;
}

}  // namespace

LossProblem::LossProblem(const ProblemSpec& spec_) : spec(spec_) {
  const std::int64_t width = spec.network.embedding_width();
  embeddings = ref::load<double>(
      draw_uniform(spec.points * width, 0.0, 1.0, spec.seed + embedding_stream).data(), spec.points,
      width);
  merge = cast<double>(draw_merge(spec));
  given = draw_pair_targets(spec, embeddings, merge);
  want = reference_loss(spec, embeddings, merge, given);
  const double rounding = unit_roundoff(Precision::float32);
  slack = kink_slack(spec, embeddings, merge, given, rounding);
  conditioning = measure_conditioning(spec, embeddings, merge, given, want, slack, rounding);
}

std::int64_t loss_reduction_length(const ProblemSpec& spec, const PairTargets& given) {
  const std::int64_t width = spec.network.embedding_width();
  if (spec.form == PairForm::all) return width + spec.points;
  std::vector<std::int64_t> degree(static_cast<std::size_t>(spec.points), 0);
  for (const PointIndex i : given.list.first) ++degree[static_cast<std::size_t>(i)];
  for (const PointIndex j : given.list.second) ++degree[static_cast<std::size_t>(j)];
  return width + (degree.empty() ? 0 : *std::ranges::max_element(degree));
}

std::int64_t merge_reduction_length(const ProblemSpec& spec) {
  return spec.network.embedding_width() + spec.pairs;
}

double loss_value_tolerance(const ProblemSpec& spec, Precision precision) {
  return sum_tolerance(precision, spec.network.embedding_width()) +
         sum_tolerance(Precision::float64, spec.pairs);
}

template <>
DistanceLossArgs<float> shape_args(const ProblemSpec& spec) {
  return distance_loss_shape<float>(spec);
}
template <>
DistanceLossArgs<double> shape_args(const ProblemSpec& spec) {
  return distance_loss_shape<double>(spec);
}
template <>
AllPairsLossArgs<float> shape_args(const ProblemSpec& spec) {
  return all_pairs_loss_shape<float>(spec);
}
template <>
AllPairsLossArgs<double> shape_args(const ProblemSpec& spec) {
  return all_pairs_loss_shape<double>(spec);
}

template <class Args, class T>
LossTrial<Args, T>::LossTrial(const Problem& problem, Device device)
    : problem_(problem),
      embeddings_(upload<T>(device, problem.embeddings)),
      merge_(upload<T>(device, problem.merge)),
      pairs_(problem.spec, problem.given, device),
      loss_value_(device, 1),
      gradient_(device, problem.embeddings.size()),
      merge_gradient_(device, merge_.size()),
      args_(shape_args<Args>(problem.spec)) {
  args_.embeddings = embeddings_.data();
  args_.merge = merge_.data();
  set_pairs(args_, pairs_.view());
  args_.loss_value = loss_value_.data();
  args_.gradient = gradient_.data();
  args_.merge_gradient = merge_gradient_.data();
}

template <class Args, class T>
void LossTrial<Args, T>::reset() {
  loss_value_.poison();
  gradient_.poison();
  merge_gradient_.poison();
}

template <class Args, class T>
std::vector<ref::Comparison> LossTrial<Args, T>::compare(Precision precision) const {
  // The conditioning is for one float32 rounding of the embeddings; a distance has those of its
  // sums.
  const double amplification = sum_tolerance(precision, problem_.spec.network.embedding_width()) /
                               unit_roundoff(Precision::float32);
  const std::vector<double> value = loss_value_.copy_out();
  const ref::Tolerance value_tolerance{
      amplification * problem_.conditioning.value + loss_value_tolerance(problem_.spec, precision),
      {}};
  const std::vector<T> gradient = gradient_.copy_out();
  ref::Tolerance gradient_tolerance{
      sum_tolerance(precision, loss_reduction_length(problem_.spec, problem_.given)) +
      amplification * problem_.conditioning.gradient};
  const std::span<const double> slack = elements(problem_.slack.gradient);
  gradient_tolerance.slack.assign(slack.begin(), slack.end());
  const std::vector<T> merge_gradient = merge_gradient_.copy_out();
  const ref::RowVector<double>& merge_slack = problem_.slack.merge_gradient;
  const ref::Tolerance merge_tolerance{
      sum_tolerance(precision, merge_reduction_length(problem_.spec)) +
          amplification * problem_.conditioning.merge_gradient,
      {merge_slack.begin(), merge_slack.end()}};
  const ref::RowVector<double>& want_merge = problem_.want.merge_gradient;
  return {ref::compare<double>("loss", value, std::span(&problem_.want.value, 1), value_tolerance),
          ref::compare<T>("gradient of the embeddings", gradient, elements(problem_.want.gradient),
                          gradient_tolerance),
          ref::compare<T>("gradient of the merge", merge_gradient,
                          {want_merge.data(), static_cast<std::size_t>(want_merge.size())},
                          merge_tolerance)};
}

template class LossTrial<DistanceLossArgs<float>, float>;
template class LossTrial<DistanceLossArgs<double>, double>;
template class LossTrial<AllPairsLossArgs<float>, float>;
template class LossTrial<AllPairsLossArgs<double>, double>;

}  // namespace siamese::verify
