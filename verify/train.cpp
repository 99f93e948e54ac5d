#include "verify/train.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "cpu_ref/forward.h"
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
  args.pairs.coordinate_width = spec.form == PairForm::all ? coordinate_width(spec) : 0;
  args.loss = spec.loss;
  args.adam = spec.adam;
  return args;
}

// By itself three batches an epoch, the last one smaller, where there are pairs enough.
std::int64_t fit_batch(const ProblemSpec& spec) {
  return spec.batch > 0 ? spec.batch : std::max<std::int64_t>(1, spec.pairs * 2 / 5);
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
  if (slack.gradient.isZero(0.0) && slack.merge_gradient.isZero(0.0)) {
    return std::vector<double>(parameters.size(), 0.0);
  }
  std::vector<double> absolute(parameters.begin(), parameters.end());
  for (double& p : absolute) p = std::abs(p);
  for (ref::RowMatrix<double>& layer : h) layer = layer.cwiseAbs().eval();
  return ref::all_gradients<double>(network, absolute, x.cwiseAbs(), h,
                                    {0.0, slack.gradient, slack.merge_gradient});
}

// The relative errors that a step may have from rounding, apart from that of products' operands.
struct StepTolerance {
  double loss;
  double extra;      // of each gradient of the network, beside gradient_tolerance
  double gradients;  // of the worst of them
  double merge;
};

StepTolerance step_tolerance(const TrainStepProblem& problem, Precision precision) {
  const ProblemSpec& spec = problem.spec;
  const Conditioning& conditioning = problem.conditioning;
  // The conditioning is measured at float32's errors and scales with them.
  const double amplification = unit_roundoff(precision) / unit_roundoff(Precision::float32);
  StepTolerance tolerance{};
  tolerance.loss = 2.0 * conditioning.value * amplification + loss_value_tolerance(spec, precision);
  tolerance.extra = 2.0 * conditioning.gradient * amplification +
                    sum_tolerance(precision, loss_reduction_length(spec, problem.given));
  tolerance.gradients =
      tolerance.extra + gradient_tolerance(spec.network, spec.points, 0, precision);
  tolerance.merge = 2.0 * conditioning.merge_gradient * amplification +
                    sum_tolerance(precision, merge_reduction_length(spec));
  return tolerance;
}

// The same by element of the gradients.
std::vector<double> gradient_rounding(const TrainStepProblem& problem,
                                      const StepTolerance& tolerance) {
  const std::vector<double>& gradients = problem.gradients;
  const auto merge = static_cast<std::size_t>(problem.spec.network.parameter_count());
  const double scale = root_mean_square(gradients);
  std::vector<double> error(gradients.size());
  for (std::size_t i = 0; i < error.size(); ++i) {
    error[i] =
        (i < merge ? tolerance.gradients : tolerance.merge) * (std::abs(gradients[i]) + scale);
  }
  return error;
}

// How far the kinks of relus that float32's rounding may put a unit on the other side of move the
// gradients. Where a training begins there are none, but later it may come near one.
std::vector<double> relu_kinks(const TrainStepProblem& problem) {
  constexpr double rounding = 4.0 * 0x1p-24;  // of each product of a sum
  const Network& network = problem.spec.network;
  ForwardErrors errors =
      forward_errors(network, problem.parameters, problem.x, problem.h, rounding);
  std::vector<double> slack(problem.parameters.size(), 0.0);
  if (std::ranges::all_of(errors.near_kink, [](const auto& near) { return near.isZero(0.0); })) {
    return slack;
  }
  for (ref::RowMatrix<double>& variance : errors.h) variance.setZero();
  std::ranges::copy(
      rounding_slack(backward_variance(network, problem.parameters, problem.x, problem.h, errors,
                                       problem.embedding_gradient, rounding)),
      slack.begin());
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
  PairForwardProblem forward(spec);
  given = draw_pair_targets(spec, forward.h.back(),
                            ref::merge_of<double>(spec.network, forward.parameters));
  parameters = std::move(forward.parameters);
  x = std::move(forward.x);
  find_gradients();
  const double scale = root_mean_square(gradients);
  state = draw_adam_state(parameter_count(spec.network, spec.loss), spec.seed,
                          scale > 0.0 ? scale : 1.0, false);
  take_step();
}

TrainStepProblem::TrainStepProblem(const ProblemSpec& spec_, std::vector<double> parameters_,
                                   const ref::RowMatrix<double>& x_, PairTargets given_,
                                   const ref::AdamState<double>& state_)
    : spec(spec_), x(x_), given(std::move(given_)), state(0), want_state(0) {
  go_on(std::move(parameters_), state_);
}

void TrainStepProblem::go_on(std::vector<double> parameters_,
                             const ref::AdamState<double>& state_) {
  parameters = std::move(parameters_);
  state = state_;
  rounding_.clear();
  find_gradients();
  take_step();
}

void TrainStepProblem::find_gradients() {
  const Network& network = spec.network;
  h = ref::forward<double>(network, parameters, x);
  const ref::RowMatrix<double>& embeddings = h.back();
  const std::span<const double> merge = ref::merge_of<double>(network, parameters);
  const ref::LossValue<double> loss = reference_loss(spec, embeddings, merge, given);
  embedding_gradient = loss.gradient;
  gradients = ref::all_gradients<double>(network, parameters, x, h, loss);
  want_loss = loss.value;

  const double rounding =
      forward_tolerance(network, network.layers().size() - 1, Precision::float32);
  const LossSlack loss_slack = kink_slack(spec, embeddings, merge, given, rounding);
  slack = propagate_slack(network, parameters, x, h, loss_slack);
  conditioning = measure_conditioning(spec, embeddings, merge, given, loss, loss_slack, rounding);
}

void TrainStepProblem::take_step() {
  want_parameters = parameters;
  want_state = state;
  ref::adam_update<double>(spec.adam, gradients, want_parameters, want_state);
}

namespace {

// A step by the reference holds about four times the network's activations. Few of a large batch
// run at a time; products then share the processors among themselves.
int samples_at_once(const ProblemSpec& spec, int samples) {
  constexpr double most_bytes = 16.0 * 1024 * 1024 * 1024;
  const std::int64_t widths = spec.network.hidden_width() + spec.network.embedding_width();
  const double bytes = 4.0 * sizeof(double) * static_cast<double>(widths) *
                       static_cast<double>(std::max<std::int64_t>(spec.points, 1));
  const int most = std::min(samples, Eigen::nbThreads());
  return std::clamp(static_cast<int>(std::min(most_bytes / bytes, 1.0 * samples)), 1, most);
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
  std::array<std::uint64_t, samples> seeds;
  std::array<double, samples> losses;
  std::array<std::vector<double>, samples> gradients;
  Random random(spec.seed);
  for (std::uint64_t& seed : seeds) seed = random.bits();
  [[maybe_unused]] const int at_once = samples_at_once(spec, samples);  // unused without OpenMP
#pragma omp parallel for schedule(dynamic) num_threads(at_once)
  for (int s = 0; s < samples; ++s) {
    Random own_random(seeds[s]);
    const std::vector<ref::RowMatrix<double>> h =
        round_forward(network, problem.parameters, problem.x, roundoff, own_random);
    const ref::LossValue<double> loss = reference_loss(
        spec, h.back(), ref::merge_of<double>(network, problem.parameters), problem.given);
    losses[s] = loss.value;
    gradients[s] = ref::all_gradients<double>(network, problem.parameters, problem.x, h, loss);
  }
  double loss_variance = 0.0;
  std::vector<double> sampled(problem.parameters.size(), 0.0);
  for (int s = 0; s < samples; ++s) {
    loss_variance += std::pow(losses[s] - problem.want_loss, 2) / samples;
    for (std::size_t i = 0; i < sampled.size(); ++i) {
      sampled[i] += std::pow(gradients[s][i] - problem.gradients[i], 2) / samples;
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

}  // namespace

const StepRounding& TrainStepProblem::rounding(Precision precision) const {
  return rounding_.get(precision, [&] { return step_rounding(*this, precision); });
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
  const StepTolerance tolerance = step_tolerance(problem_, precision);
  const auto merge = static_cast<std::size_t>(spec.network.parameter_count());

  const std::vector<double> loss = loss_value_.copy_out();
  const StepRounding& rounding = problem_.rounding(precision);
  std::vector<ref::Comparison> comparisons{
      compare_steps(training_.steps(), problem_.want_state.step),
      ref::compare<double>("loss", loss, std::span(&problem_.want_loss, 1),
                           {tolerance.loss, {rounding.loss}})};

  const std::vector<double>& m = problem_.want_state.m;
  std::vector<double> slack = problem_.slack;
  for (std::size_t i = 0; i < slack.size(); ++i) slack[i] += rounding.gradients[i];
  const std::vector<T> got_m = training_.m();
  std::vector<double> m_slack = slack;
  for (double& s : m_slack) s *= 1.0 - spec.adam.beta1;
  std::vector<ref::Comparison> gradients =
      compare_gradients(spec, got_m, m, m_slack, tolerance.extra, precision);
  comparisons.insert(comparisons.end(), gradients.begin(), gradients.end());
  comparisons.push_back(ref::compare<T>(
      "gradients of the merge", std::span(got_m).subspan(merge), std::span(m).subspan(merge),
      {tolerance.merge, {m_slack.begin() + merge, m_slack.end()}}));

  std::vector<double> error = gradient_rounding(problem_, tolerance);
  for (std::size_t i = 0; i < error.size(); ++i) error[i] += slack[i];
  TrainingErrors errors(error.size());
  errors.add_step(spec.adam, problem_.gradients, error, problem_.want_state);
  const double few_roundings =
      ref::tolerance(std::min(unit_roundoff(precision), 0x1p-24), 1).relative;
  comparisons.push_back(
      ref::compare<T>("v", training_.v(), problem_.want_state.v, {few_roundings, errors.v}));
  comparisons.push_back(ref::compare<T>("parameters", training_.parameters(),
                                        problem_.want_parameters,
                                        {few_roundings, errors.parameters}));
  return comparisons;
}

template class Trial<TrainStepArgs<float>>;
template class Trial<TrainStepArgs<double>>;

TrainingErrors::TrainingErrors(std::size_t count)
    : m(count, 0.0), v(count, 0.0), parameters(count, 0.0) {}

// To first order; the 2 is for what is left out: v's own errors, and that parameters which are off
// make the next gradients so, both small beside errors of gradients in so few steps with so large
// v.
void TrainingErrors::add_step(const Adam& adam, std::span<const double> gradients,
                              std::span<const double> error, const ref::AdamState<double>& after) {
  const AdamStep step = adam_step(adam, after.step);
  for (std::size_t i = 0; i < m.size(); ++i) {
    m[i] = adam.beta1 * m[i] + (1.0 - adam.beta1) * error[i];
    v[i] = adam.beta2 * v[i] +
           (1.0 - adam.beta2) * error[i] * (2.0 * std::abs(gradients[i]) + error[i]);
    parameters[i] += 2.0 * step.rate * m[i] / (std::sqrt(after.v[i]) * step.v_scale + adam.epsilon);
  }
}

namespace {

// One training of a FitProblem, by the reference.
struct OneFit {
  std::vector<double> begin;
  ref::Training<double> training;
  std::vector<double> losses;
  FitErrors rounding, kinks;
};

// Training k of `problem`, whose batches are drawn from this list.
OneFit fit_one(const FitProblem& problem, std::int64_t k, const PairList& list,
               std::span<const double> targets) {
  const TrainStepProblem& first = problem.begin;
  ProblemSpec spec = first.spec;
  spec.seed += static_cast<std::uint64_t>(k);
  const std::vector<double> begin = k == 0 ? first.parameters : cast<double>(draw_parameters(spec));
  const FitErrors none{std::vector<double>(FitProblem::epochs, 0.0), TrainingErrors(begin.size())};
  OneFit fit{begin, {spec.network, begin, spec.adam}, {}, none, none};
  ref::Training<double>& training = fit.training;
  training.state = first.state;

  spec.form = PairForm::indexed;  // a batch of a list, whatever the list came from
  std::size_t epoch = 0;
  const auto batch_loss = [&](const ref::RowMatrix<double>& e, std::span<const double> merge,
                              const PairList& pairs, std::span<const double> t) {
    spec.pairs = pairs.size();
    const TrainStepProblem step(spec, training.parameters, first.x,
                                {pairs, {t.begin(), t.end()}, {}}, training.state);
    const double part = static_cast<double>(pairs.size()) / static_cast<double>(list.size());
    const auto add_step = [&](FitErrors& errors, double of_loss,
                              std::span<const double> of_gradients) {
      errors.losses[epoch] +=
          part * std::transform_reduce(step.gradients.begin(), step.gradients.end(),
                                       errors.training.parameters.begin(), of_loss, std::plus<>(),
                                       [](double g, double p) { return std::abs(g) * p; });
      errors.training.add_step(spec.adam, step.gradients, of_gradients, step.want_state);
    };
    const StepTolerance tolerance = step_tolerance(step, Precision::float32);
    add_step(fit.rounding, tolerance.loss * std::abs(step.want_loss),
             gradient_rounding(step, tolerance));
    std::vector<double> near = relu_kinks(step);
    for (std::size_t i = 0; i < near.size(); ++i) near[i] += step.slack[i];
    add_step(fit.kinks, 0.0, near);
    return ref::pair_loss<double>(spec.loss, e, pairs, t, merge);
  };
  fit.losses =
      ref::fit<double>(training, first.x, list, targets, batch_loss, FitProblem::epochs,
                       problem.batch, FitProblem::shuffle_seed + static_cast<std::uint64_t>(k),
                       [&](std::int64_t, double) { ++epoch; });
  return fit;
}

}  // namespace

FitProblem::FitProblem(const ProblemSpec& spec)
    : begin(spec),
      batch(fit_batch(spec)),
      state(0),
      want_state(0),
      rounding{{}, TrainingErrors(0)},
      kinks{{}, TrainingErrors(0)} {
  PairList list = begin.given.list;
  std::vector<double> targets = begin.given.targets;
  if (spec.form == PairForm::all) {
    list = all_pairs_list(spec.points);
    for (std::size_t p = 0; p < list.first.size(); ++p) {
      const auto& c = begin.given.coordinates;
      targets.push_back((c.row(list.first[p]) - c.row(list.second[p])).norm());
    }
  }
  std::vector<std::optional<OneFit>> fits(static_cast<std::size_t>(spec.trainings));
#pragma omp parallel for schedule(dynamic)
  for (std::int64_t k = 0; k < spec.trainings; ++k) {
    fits[static_cast<std::size_t>(k)] = fit_one(*this, k, list, targets);
  }

  const auto append = [](std::vector<double>& all, const std::vector<double>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  const auto append_errors = [&](FitErrors& all, const FitErrors& more) {
    append(all.losses, more.losses);
    append(all.training.m, more.training.m);
    append(all.training.v, more.training.v);
    append(all.training.parameters, more.training.parameters);
  };
  state.step = begin.state.step;
  for (const std::optional<OneFit>& fit : fits) {
    append(parameters, fit->begin);
    append(state.m, begin.state.m);
    append(state.v, begin.state.v);
    append(want_losses, fit->losses);
    append(want_parameters, fit->training.parameters);
    append(want_state.m, fit->training.state.m);
    append(want_state.v, fit->training.state.v);
    want_state.step = fit->training.state.step;
    append_errors(rounding, fit->rounding);
    append_errors(kinks, fit->kinks);
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

template <class T>
std::vector<ref::Comparison> Trial<FitArgs<T>>::compare(Precision precision) const {
  // What rounding does scales with the precision, for products use operands as they are stored;
  // what a kink does, does not.
  const double scale = sum_tolerance(precision, 1) / sum_tolerance(Precision::float32, 1);
  const auto slack = [&](const std::vector<double>& rounding, const std::vector<double>& kinks) {
    std::vector<double> sum(rounding.size());
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = scale * rounding[i] + kinks[i];
    return sum;
  };
  const TrainingErrors& rounding = problem_.rounding.training;
  const TrainingErrors& kinks = problem_.kinks.training;
  const std::int64_t steps = problem_.want_state.step - problem_.state.step;
  const double roundings =
      ref::tolerance(std::min(unit_roundoff(precision), 0x1p-24), steps).relative;
  return {compare_steps(training_.steps(), problem_.want_state.step),
          ref::compare<double>("losses", losses_.copy_out(), problem_.want_losses,
                               {sum_tolerance(Precision::float64, problem_.begin.spec.pairs),
                                slack(problem_.rounding.losses, problem_.kinks.losses)}),
          ref::compare<T>("m", training_.m(), problem_.want_state.m,
                          {roundings, slack(rounding.m, kinks.m)}),
          ref::compare<T>("v", training_.v(), problem_.want_state.v,
                          {roundings, slack(rounding.v, kinks.v)}),
          ref::compare<T>("parameters", training_.parameters(), problem_.want_parameters,
                          {roundings, slack(rounding.parameters, kinks.parameters)})};
}

template class Trial<FitArgs<float>>;
template class Trial<FitArgs<double>>;

}  // namespace siamese::verify
