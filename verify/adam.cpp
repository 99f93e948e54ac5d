#include "verify/adam.h"

#include <cmath>
#include <utility>

namespace siamese::verify {
namespace {

constexpr std::uint64_t adam_stream = 3000017;
constexpr std::int64_t steps_taken = 9;

// Every eleventh element of an update gets no gradient and never had one, so that epsilon alone
// stands under its 0; the one behind it numbers so small that epsilon is as large as sqrt(v).
// Eleven has no factor in common with the lanes of a vector: each lane meets both. Not the last
// element: a 0 that is left out does not show.
void let_epsilon_matter(AdamProblem& problem) {
  const double epsilon = problem.spec.adam.epsilon;
  const std::vector<float> sizes = draw_uniform(static_cast<std::int64_t>(problem.gradients.size()),
                                                0.5, 2.0, problem.spec.seed + adam_stream + 3);
  for (std::size_t i = 4; i + 1 < problem.gradients.size(); i += 11) {
    problem.gradients[i] = problem.state.m[i] = problem.state.v[i] = 0.0;
  }
  for (std::size_t i = 5; i < problem.gradients.size(); i += 11) {
    const auto size = static_cast<float>(epsilon * sizes[i]);
    problem.gradients[i] = problem.state.m[i] = size;
    problem.state.v[i] = size * size;
  }
}

template <class T>
AdamArgs<T> adam_shape(const ProblemSpec& spec) {
  AdamArgs<T> args;
  args.count = spec.network.parameter_count();
  args.adam = spec.adam;
  return args;
}

}  // namespace

template <>
AdamArgs<float> shape_args(const ProblemSpec& spec) {
  return adam_shape<float>(spec);
}
template <>
AdamArgs<double> shape_args(const ProblemSpec& spec) {
  return adam_shape<double>(spec);
}

ref::AdamState<double> draw_adam_state(std::int64_t count, std::uint64_t seed,
                                       double gradient_scale, bool with_m) {
  const double square = gradient_scale * gradient_scale;
  ref::AdamState<double> state(static_cast<std::size_t>(count));
  if (with_m) {
    state.m =
        cast<double>(draw_uniform(count, -gradient_scale, gradient_scale, seed + adam_stream));
  }
  state.v = cast<double>(draw_uniform(count, square, 3.0 * square, seed + adam_stream + 1));
  state.step = steps_taken;
  return state;
}

AdamProblem::AdamProblem(const ProblemSpec& spec_)
    : spec(spec_),
      gradients(cast<double>(
          draw_uniform(spec.network.parameter_count(), -0.01, 0.01, spec.seed + adam_stream + 2))),
      parameters(cast<double>(draw_parameters(spec))),
      state(draw_adam_state(spec.network.parameter_count(), spec.seed, 0.01, true)),
      want_state(gradients.size()) {
  parameters.resize(gradients.size());  // the network's alone
  let_epsilon_matter(*this);
  take_step();
}

void AdamProblem::go_on(std::vector<double> parameters_, const ref::AdamState<double>& state_) {
  parameters = std::move(parameters_);
  state = state_;
  take_step();
}

void AdamProblem::take_step() {
  want_parameters = parameters;
  want_state = state;
  ref::adam_update<double>(spec.adam, gradients, want_parameters, want_state);
}

template <class T>
DeviceTraining<T>::DeviceTraining(const std::vector<double>& parameters,
                                  const ref::AdamState<double>& state, Device device,
                                  std::int64_t trainings)
    : initial_parameters_(cast<T>(parameters)),
      initial_m_(cast<T>(state.m)),
      initial_v_(cast<T>(state.v)),
      initial_step_(static_cast<std::size_t>(trainings), state.step),
      parameters_(device, std::span<const T>(initial_parameters_)),
      m_(device, std::span<const T>(initial_m_)),
      v_(device, std::span<const T>(initial_v_)),
      step_(device, std::span<const std::int64_t>(initial_step_)) {}

template <class T>
void DeviceTraining<T>::reset() {
  parameters_.copy_in(initial_parameters_);
  m_.copy_in(initial_m_);
  v_.copy_in(initial_v_);
  step_.copy_in(initial_step_);
}

template <class T>
ref::AdamState<double> DeviceTraining<T>::state() const {
  ref::AdamState<double> state(0);
  state.m = cast<double>(m());
  state.v = cast<double>(v());
  state.step = steps().front();
  return state;
}

template class DeviceTraining<float>;
template class DeviceTraining<double>;

ref::Comparison compare_steps(const std::vector<std::int64_t>& got, std::int64_t want) {
  const std::vector<double> exact_want(got.size(), static_cast<double>(want));
  return ref::compare<double>("step count", cast<double>(got), exact_want, {});
}

template <class T>
Trial<AdamArgs<T>>::Trial(const Problem& problem, Device device)
    : problem_(problem),
      gradients_(upload<T>(device, problem.gradients)),
      training_(problem.parameters, problem.state, device),
      args_(shape_args<AdamArgs<T>>(problem.spec)) {
  args_.gradients = gradients_.data();
  training_.bind(args_);
}

template <class T>
std::vector<ref::Comparison> Trial<AdamArgs<T>>::compare(Precision precision) const {
  const ref::Tolerance tolerance = ref::tolerance(unit_roundoff(precision), 1);
  return {
      compare_steps(training_.steps(), problem_.want_state.step),
      ref::compare<T>("m", training_.m(), problem_.want_state.m, tolerance),
      ref::compare<T>("v", training_.v(), problem_.want_state.v, tolerance),
      ref::compare<T>("parameters", training_.parameters(), problem_.want_parameters, tolerance)};
}

template class Trial<AdamArgs<float>>;
template class Trial<AdamArgs<double>>;

}  // namespace siamese::verify
