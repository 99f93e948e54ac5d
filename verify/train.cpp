#include "verify/train.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cpu_ref/train.h"
#include "model/random.h"
#include "verify/backward.h"
#include "verify/loss.h"
#include "verify/rounding.h"

namespace siamese::verify {
namespace {

template <class T>
TrainStepArgs<T> train_step_shape(const ProblemSpec& spec) {
  TrainStepArgs<T> args;
  args.network = &spec.network;
  args.points = spec.points;
  args.pairs.form = spec.form;
  args.pairs.count = spec.pairs;
  args.pairs.coordinate_width = spec.form == PairForm::all ? spec.network.embedding_width() : 0;
  args.loss = spec.loss;
  args.adam = spec.adam;
  return args;
}

// Three batches an epoch, the last one smaller, where there are pairs enough.
std::int64_t fit_batch(const ProblemSpec& spec) {
  return std::max<std::int64_t>(1, spec.pairs * 2 / 5);
}

template <class T>
FitArgs<T> fit_shape(const ProblemSpec& spec) {
  FitArgs<T> args;
  args.training = train_step_shape<T>(spec);
  args.epochs = FitProblem::epochs;
  args.batch = fit_batch(spec);
  args.shuffle_seed = FitProblem::shuffle_seed;
  args.trainings = spec.trainings;
  return args;
}

// A bound on how far each parameter's gradient moves when G moves by `slack`: backward is linear in
// G, so the backward pass of the slack through absolute values bounds it.
std::vector<double> propagate_slack(const Network& network, std::span<const double> parameters,
                                    const ref::RowMatrix<double>& x,
                                    std::vector<ref::RowMatrix<double>> h, const LossSlack& slack) {
  std::vector<double> absolute(parameters.begin(), parameters.end());
  for (double& p : absolute) p = std::abs(p);
  for (ref::RowMatrix<double>& layer : h) layer = layer.cwiseAbs().eval();
  return ref::all_gradients<double>(network, absolute, x.cwiseAbs(), h,
                                    {0.0, slack.gradient, slack.merge_gradient});
}

// The parameters of a step whose gradient may be off by `error` per element.
std::vector<double> parameter_slack(const Adam& adam, const ref::AdamState<double>& after,
                                    std::span<const double> gradient_error) {
  const AdamStep step = adam_step(adam, after.step);
  std::vector<double> slack(gradient_error.size());
  for (std::size_t i = 0; i < slack.size(); ++i) {
    const double slope =
        step.rate * (1.0 - adam.beta1) / (std::sqrt(after.v[i]) * step.v_scale + adam.epsilon);
    slack[i] = 2.0 * slope * gradient_error[i];
  }
  return slack;
}

}  // namespace

template <>
TrainStepArgs<float> shape_args(const ProblemSpec& spec) {
  return train_step_shape<float>(spec);
}
template <>
TrainStepArgs<double> shape_args(const ProblemSpec& spec) {
  return train_step_shape<double>(spec);
}
template <>
FitArgs<float> shape_args(const ProblemSpec& spec) {
  return fit_shape<float>(spec);
}
template <>
FitArgs<double> shape_args(const ProblemSpec& spec) {
  return fit_shape<double>(spec);
}

TrainStepProblem::TrainStepProblem(const ProblemSpec& spec_)
    : spec(spec_), state(0), want_state(0) {
  const Network& network = spec.network;
  const PairForwardProblem forward(spec);
  parameters = forward.parameters;
  x = forward.x;
  const ref::RowMatrix<double>& embeddings = forward.h.back();
  const std::span<const double> merge = ref::merge_of<double>(network, parameters);
  given = draw_pair_targets(spec, embeddings, merge);

  const ref::LossValue<double> loss = reference_loss(spec, embeddings, merge, given);
  h = forward.h;
  embedding_gradient = loss.gradient;
  gradients = ref::all_gradients<double>(network, parameters, x, h, loss);
  want_loss = loss.value;

  const double rounding =
      forward_tolerance(network, network.layers().size() - 1, Precision::float32);
  const LossSlack loss_slack = kink_slack(spec, embeddings, merge, given, rounding);
  slack = propagate_slack(network, parameters, x, h, loss_slack);
  conditioning = measure_conditioning(spec, embeddings, merge, given, loss, loss_slack, rounding);

  const double scale = root_mean_square(gradients);
  state = draw_adam_state(parameter_count(network, spec.loss), spec.seed, scale > 0.0 ? scale : 1.0,
                          false);
  want_parameters = parameters;
  want_state = state;
  ref::adam_update<double>(spec.adam, gradients, want_parameters, want_state);
}

// What a rounding does to the step by itself is computed as variances. Roundings of weights are
// shared by all points and add up over them, those of an input by all units, and the loss may be
// anything but linear: what they do together is sampled, by running the reference again after a
// forward pass that is rounded at random.
StepRounding step_rounding(const TrainStepProblem& problem, Precision precision) {
  const ProblemSpec& spec = problem.spec;
  const Network& network = spec.network;
  const double roundoff = operand_roundoff(precision);
  if (roundoff == 0.0) return {0.0, std::vector<double>(problem.parameters.size(), 0.0)};
  const ForwardErrors errors =
      forward_errors(network, problem.parameters, problem.x, problem.h, roundoff);

  constexpr int samples = 8;
  Random random(spec.seed);
  double loss_variance = 0.0;
  std::vector<double> sampled(problem.parameters.size(), 0.0);
  for (int s = 0; s < samples; ++s) {
    const std::vector<ref::RowMatrix<double>> h =
        round_forward(network, problem.parameters, problem.x, roundoff, random);
    const ref::LossValue<double> loss = reference_loss(
        spec, h.back(), ref::merge_of<double>(network, problem.parameters), problem.given);
    const std::vector<double> gradients =
        ref::all_gradients<double>(network, problem.parameters, problem.x, h, loss);
    loss_variance += std::pow(loss.value - problem.want_loss, 2) / samples;
    for (std::size_t i = 0; i < sampled.size(); ++i) {
      sampled[i] += std::pow(gradients[i] - problem.gradients[i], 2) / samples;
    }
  }

  std::vector<double> variance =
      backward_variance(network, problem.parameters, problem.x, problem.h, errors,
                        problem.embedding_gradient, roundoff);
  variance.resize(sampled.size());
  // So few samples say little of one element; no element of a part is taken to have less than most.
  const auto add_sampled = [&](std::size_t begin, std::size_t end) {
    const std::span<const double> of_part = std::span(sampled).subspan(begin, end - begin);
    const double mean =
        std::accumulate(of_part.begin(), of_part.end(), 0.0) / static_cast<double>(end - begin);
    for (std::size_t i = begin; i < end; ++i) variance[i] += std::max(sampled[i], mean);
  };
  for (const Layer& layer : network.layers()) {
    add_sampled(static_cast<std::size_t>(layer.weights_offset),
                static_cast<std::size_t>(layer.bias_offset + layer.outputs));
  }
  const auto merge = static_cast<std::size_t>(network.parameter_count());
  if (merge < sampled.size()) add_sampled(merge, sampled.size());
  return {rounding_slack(std::span(&loss_variance, 1)).front(), rounding_slack(variance)};
}

template <class T>
Trial<TrainStepArgs<T>>::Trial(const Problem& problem, Device device)
    : problem_(problem),
      x_(upload<T>(device, problem.x)),
      pairs_(problem.spec, problem.given, device),
      training_(problem.parameters, problem.state, device),
      loss_value_(device, 1),
      args_(shape_args<TrainStepArgs<T>>(problem.spec)) {
  args_.x = x_.data();
  args_.pairs = pairs_.view();
  args_.loss_value = loss_value_.data();
  training_.bind(args_);
}

template <class T>
void Trial<TrainStepArgs<T>>::reset() {
  training_.reset();
  loss_value_.poison();
}

template <class T>
std::vector<ref::Comparison> Trial<TrainStepArgs<T>>::compare(Precision precision) const {
  const ProblemSpec& spec = problem_.spec;
  const double roundoff = unit_roundoff(precision);
  const double beta1 = spec.adam.beta1;
  const double beta2 = spec.adam.beta2;

  // The conditioning is measured at float32's errors and scales with them.
  const double amplification = roundoff / unit_roundoff(Precision::float32);
  const double extra = 2.0 * problem_.conditioning.gradient * amplification +
                       sum_tolerance(precision, loss_reduction_length(spec, problem_.given));
  const double relative = extra + gradient_tolerance(spec.network, spec.points, 0, precision);
  const double merge_relative = 2.0 * problem_.conditioning.merge_gradient * amplification +
                                sum_tolerance(precision, merge_reduction_length(spec));
  const auto merge = static_cast<std::size_t>(spec.network.parameter_count());

  const std::vector<double> loss = loss_value_.copy_out();
  const StepRounding rounding = step_rounding(problem_, precision);
  const ref::Tolerance loss_tolerance{
      2.0 * problem_.conditioning.value * amplification + loss_value_tolerance(spec, precision),
      {rounding.loss}};
  std::vector<ref::Comparison> comparisons{
      compare_steps(training_.steps(), problem_.want_state.step),
      ref::compare<double>("loss", loss, std::span(&problem_.want_loss, 1), loss_tolerance)};

  const std::vector<double>& m = problem_.want_state.m;
  std::vector<double> slack = problem_.slack;
  for (std::size_t i = 0; i < slack.size(); ++i) slack[i] += rounding.gradients[i];
  const std::vector<T> got_m = training_.m();
  std::vector<double> m_slack = slack;
  for (double& s : m_slack) s *= 1.0 - beta1;
  std::vector<ref::Comparison> gradients =
      compare_gradients(spec, got_m, m, m_slack, extra, precision);
  comparisons.insert(comparisons.end(), gradients.begin(), gradients.end());
  comparisons.push_back(ref::compare<T>(
      "gradients of the merge", std::span(got_m).subspan(merge), std::span(m).subspan(merge),
      {merge_relative, {m_slack.begin() + merge, m_slack.end()}}));

  const double scale = root_mean_square(m) / (1.0 - beta1);
  std::vector<double> gradient_error(m.size());
  std::vector<double> v_slack(m.size());
  for (std::size_t i = 0; i < m.size(); ++i) {
    const double g = std::abs(m[i]) / (1.0 - beta1);
    gradient_error[i] = (i < merge ? relative : merge_relative) * (g + scale) + slack[i];
    v_slack[i] = (1.0 - beta2) * gradient_error[i] * (2.0 * g + gradient_error[i]);
  }
  const ref::Tolerance few_roundings = ref::tolerance(std::min(roundoff, 0x1p-24), 1);
  comparisons.push_back(ref::compare<T>("v", training_.v(), problem_.want_state.v,
                                        {few_roundings.relative, v_slack}));
  comparisons.push_back(ref::compare<T>(
      "parameters", training_.parameters(), problem_.want_parameters,
      {few_roundings.relative, parameter_slack(spec.adam, problem_.want_state, gradient_error)}));
  return comparisons;
}

template class Trial<TrainStepArgs<float>>;
template class Trial<TrainStepArgs<double>>;

FitProblem::FitProblem(const ProblemSpec& spec)
    : begin(spec), batch(fit_batch(spec)), state(0), want_step(0) {
  PairList list = begin.given.list;
  std::vector<double> targets = begin.given.targets;
  if (spec.form == PairForm::all) {
    list = all_pairs_list(spec.points);
    for (std::size_t p = 0; p < list.first.size(); ++p) {
      const auto& c = begin.given.coordinates;
      targets.push_back((c.row(list.first[p]) - c.row(list.second[p])).norm());
    }
  }
  const auto append = [](std::vector<double>& all, const std::vector<double>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  state.step = begin.state.step;
  for (std::int64_t k = 0; k < spec.trainings; ++k) {
    ProblemSpec own = spec;
    own.seed += static_cast<std::uint64_t>(k);
    ref::Training<double> training(
        spec.network, k == 0 ? begin.parameters : cast<double>(draw_parameters(own)), spec.adam);
    training.state = begin.state;
    append(parameters, training.parameters);
    append(state.m, training.state.m);
    append(state.v, training.state.v);
    append(want_losses, ref::fit<double>(
                            training, begin.x, list, targets,
                            [&](const ref::RowMatrix<double>& e, std::span<const double> merge,
                                const PairList& pairs, std::span<const double> t) {
                              return ref::pair_loss<double>(spec.loss, e, pairs, t, merge);
                            },
                            epochs, batch, shuffle_seed + static_cast<std::uint64_t>(k)));
    append(want_parameters, training.parameters);
    want_step = training.state.step;
  }
}

template <class T>
Trial<FitArgs<T>>::Trial(const Problem& problem, Device device)
    : problem_(problem),
      x_(upload<T>(device, problem.begin.x)),
      pairs_(problem.begin.spec, problem.begin.given, device),
      training_(problem.parameters, problem.state, device, problem.begin.spec.trainings),
      losses_(device, problem.begin.spec.trainings * FitProblem::epochs),
      args_(shape_args<FitArgs<T>>(problem.begin.spec)) {
  args_.training.x = x_.data();
  args_.training.pairs = pairs_.view();
  args_.training.loss_value = losses_.data();
  training_.bind(args_.training);
}

template <class T>
void Trial<FitArgs<T>>::reset() {
  training_.reset();
  losses_.poison();
}

// Errors of one step move the next one's gradient, so a training has no tolerance of its own size:
// the loss curve must agree to what the steps' errors add up to, and the parameters to a small part
// of the way that they have gone.
template <class T>
std::vector<ref::Comparison> Trial<FitArgs<T>>::compare(Precision precision) const {
  const ProblemSpec& spec = problem_.begin.spec;
  const double amplification = unit_roundoff(precision) / unit_roundoff(Precision::float32);
  const double steps = static_cast<double>(problem_.want_step - problem_.begin.state.step);
  const double per_step =
      2.0 * problem_.begin.conditioning.gradient * amplification +
      gradient_tolerance(spec.network, spec.points, 0, precision) +
      sum_tolerance(precision, loss_reduction_length(spec, problem_.begin.given));
  // Pairs and units whose kinks the training crosses a step earlier or later count as errors of
  // their share in a step.
  const double crossings = 1e-3;
  const double way = spec.adam.learning_rate * steps;
  return {compare_steps(training_.steps(), problem_.want_step),
          ref::compare<double>("losses", losses_.copy_out(), problem_.want_losses,
                               {steps * per_step + crossings}),
          ref::compare<T>("parameters", training_.parameters(), problem_.want_parameters,
                          {ref::tolerance(std::min(unit_roundoff(precision), 0x1p-24), 1).relative,
                           std::vector<double>(problem_.want_parameters.size(),
                                               way * (steps * per_step + 10.0 * crossings))})};
}

template class Trial<FitArgs<float>>;
template class Trial<FitArgs<double>>;

}  // namespace siamese::verify
