#pragma once

#include <cstdint>
#include <vector>

#include "cpu_ref/adam.h"
#include "verify/trial.h"

namespace siamese::verify {

/// Parameters, moments and step count in the middle of a training, with second moments that are
/// large beside a gradient's square: a step is then a smooth function of the gradient, and errors
/// can be told from it. Of some elements everything is 0, and of as many sqrt(v) is about epsilon.
struct AdamProblem {
  explicit AdamProblem(const ProblemSpec& spec);

  /// Becomes that of the step that follows from here, with the same gradients.
  void go_on(std::vector<double> parameters, const ref::AdamState<double>& state);

  ProblemSpec spec;
  std::vector<double> gradients, parameters;
  ref::AdamState<double> state;  // before the step
  std::vector<double> want_parameters;
  ref::AdamState<double> want_state;

 private:
  void take_step();
};

/// Adam's state of a training some steps old: random m and v of the size that gradients of size
/// `gradient_scale` leave, m only where `with_m`. float32 values.
ref::AdamState<double> draw_adam_state(std::int64_t count, std::uint64_t seed,
                                       double gradient_scale, bool with_m);

/// Parameters, moments and step count on a device.
template <class T>
class DeviceTraining {
 public:
  /// Of one training, or of several one after another which all have taken state.step steps.
  DeviceTraining(const std::vector<double>& parameters, const ref::AdamState<double>& state,
                 Device device, std::int64_t trainings = 1);
  /// Sets the pointers of AdamArgs or TrainStepArgs.
  template <class Args>
  void bind(Args& args) const {
    args.parameters = parameters_.data();
    args.m = m_.data();
    args.v = v_.data();
    args.step = step_.data();
  }
  void reset();
  std::vector<T> parameters() const { return parameters_.copy_out(); }
  std::vector<T> m() const { return m_.copy_out(); }
  std::vector<T> v() const { return v_.copy_out(); }
  std::vector<std::int64_t> steps() const { return step_.copy_out(); }
  ref::AdamState<double> state() const;  ///< of one training
  Fingerprint fingerprint() const {
    return Fingerprint().add(parameters()).add(m()).add(v()).add(step_.copy_out());
  }

 private:
  std::vector<T> initial_parameters_, initial_m_, initial_v_;
  std::vector<std::int64_t> initial_step_;
  Buffer<T> parameters_, m_, v_;
  Buffer<std::int64_t> step_;
};

/// Compares the step counts of trainings, which must all be exactly `want`.
ref::Comparison compare_steps(const std::vector<std::int64_t>& got, std::int64_t want);

template <class T>
class Trial<AdamArgs<T>> {
 public:
  using Problem = AdamProblem;

  Trial(const Problem& problem, Device device);
  const AdamArgs<T>& args() const { return args_; }
  void reset() { training_.reset(); }
  std::vector<ref::Comparison> compare(Precision precision) const;
  const DeviceTraining<T>& training() const { return training_; }
  std::uint64_t fingerprint() const { return training_.fingerprint().value(); }

 private:
  const Problem& problem_;
  Buffer<T> gradients_;
  DeviceTraining<T> training_;
  AdamArgs<T> args_;
};

}  // namespace siamese::verify
