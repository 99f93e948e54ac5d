#pragma once

#include <vector>

#include "verify/adam.h"
#include "verify/by_precision.h"
#include "verify/forward.h"
#include "verify/trial.h"

namespace siamese::verify {

/// What the rounding of products' operands (verify/rounding.h) may do to a step.
struct StepRounding {
  double loss;
  std::vector<double> gradients;  ///< flat as the parameters
};

/// A training in its tenth step on one batch, and what the reference makes of that step. The first
/// moments begin at 0, so that afterwards they show the gradient itself; the second moments begin
/// large beside its square, so that the step is a smooth function of it.
struct TrainStepProblem {
  explicit TrainStepProblem(const ProblemSpec& spec);

  /// A step of any training, on these points and pairs.
  TrainStepProblem(const ProblemSpec& spec, std::vector<double> parameters,
                   const ref::RowMatrix<double>& x, PairTargets given,
                   const ref::AdamState<double>& state);

  /// Becomes that of the step that follows from here, on the same batch.
  void go_on(std::vector<double> parameters, const ref::AdamState<double>& state);

  const StepRounding& rounding(Precision precision) const;

  ProblemSpec spec;
  std::vector<double> parameters;
  ref::RowMatrix<double> x;
  PairTargets given;
  ref::AdamState<double> state;

  double want_loss;
  std::vector<double> want_parameters;
  ref::AdamState<double> want_state;

  Conditioning conditioning;  ///< for float32's errors of the forward pass

  /// How far kinks of the loss may move the gradients: flat as the parameters.
  std::vector<double> slack;

  // Of the reference's step, by which rounding is judged.
  std::vector<ref::RowMatrix<double>> h;
  ref::RowMatrix<double> embedding_gradient;  // G [n, d]
  std::vector<double> gradients;

 private:
  void find_gradients();
  void take_step();

  ByPrecision<StepRounding> rounding_;
};

template <class T>
class Trial<TrainStepArgs<T>> {
 public:
  using Problem = TrainStepProblem;

  Trial(const Problem& problem, Device device);
  const TrainStepArgs<T>& args() const { return args_; }
  void reset();
  std::vector<ref::Comparison> compare(Precision precision) const;
  const DeviceTraining<T>& training() const { return training_; }
  std::uint64_t fingerprint() const {
    return training_.fingerprint().add(loss_value_.copy_out()).value();
  }

 private:
  const Problem& problem_;
  Buffer<T> x_;
  DevicePairs<T> pairs_;
  DeviceTraining<T> training_;
  Buffer<double> loss_value_;
  TrainStepArgs<T> args_;
};

/// How far what Adam keeps may be off after some steps, because their gradients were.
struct TrainingErrors {
  std::vector<double> m, v, parameters;  // from 0

  explicit TrainingErrors(std::size_t count);

  /// One more step, which left `after`, whose gradients may be off by `error` per element.
  void add_step(const Adam& adam, std::span<const double> gradients, std::span<const double> error,
                const ref::AdamState<double>& after);
};

/// The same of the losses [epochs] and of what a training leaves.
struct FitErrors {
  std::vector<double> losses;
  TrainingErrors training;
};

/// Short trainings of several epochs over shuffled batches by the reference. The first begins where
/// `begin` does, each other from parameters of its own.
struct FitProblem {
  explicit FitProblem(const ProblemSpec& spec);

  static constexpr std::int64_t epochs = 3;
  static constexpr std::uint64_t shuffle_seed = 7;

  TrainStepProblem begin;
  std::int64_t batch;
  std::vector<double> parameters;   // of all trainings, one after another, as all below
  ref::AdamState<double> state;     // step: of each
  std::vector<double> want_losses;  // [trainings, epochs]
  std::vector<double> want_parameters;
  ref::AdamState<double> want_state;  // step: of each

  // Of all trainings, one after another: what float32's rounding may do, and what the kinks that
  // a training comes near may.
  FitErrors rounding, kinks;
};

template <class T>
class Trial<FitArgs<T>> {
 public:
  using Problem = FitProblem;

  Trial(const Problem& problem, Device device);
  const FitArgs<T>& args() const { return args_; }
  void reset();
  std::vector<ref::Comparison> compare(Precision precision) const;
  std::uint64_t fingerprint() const {
    return training_.fingerprint().add(losses_.copy_out()).value();
  }

 private:
  const Problem& problem_;
  Buffer<T> x_;
  DevicePairs<T> pairs_;
  DeviceTraining<T> training_;
  Buffer<double> losses_;
  FitArgs<T> args_;
};

}  // namespace siamese::verify
