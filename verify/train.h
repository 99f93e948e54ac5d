#pragma once

#include <vector>

#include "verify/adam.h"
#include "verify/forward.h"
#include "verify/trial.h"

namespace siamese::verify {

/// A training in its tenth step on one batch, and what the reference makes of that step. The first
/// moments begin at 0, so that afterwards they show the gradient itself; the second moments begin
/// large beside its square, so that the step is a smooth function of it.
struct TrainStepProblem {
  explicit TrainStepProblem(const ProblemSpec& spec);

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
};

/// What the rounding of products' operands (verify/rounding.h) may do to a step.
struct StepRounding {
  double loss;
  std::vector<double> gradients;  ///< flat as the parameters
};

StepRounding step_rounding(const TrainStepProblem& problem, Precision precision);

template <class T>
class Trial<TrainStepArgs<T>> {
 public:
  using Problem = TrainStepProblem;

  Trial(const Problem& problem, Device device);
  const TrainStepArgs<T>& args() const { return args_; }
  void reset();
  std::vector<ref::Comparison> compare(Precision precision) const;
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
  std::int64_t want_step;  // of each
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
