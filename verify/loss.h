#pragma once

#include <vector>

#include "verify/trial.h"

namespace siamese::verify {

/// Inputs of distance_loss (forms dense and indexed) or all_pairs_loss (form all), E from U[0, 1),
/// and the loss and its gradients by the reference.
struct LossProblem {
  explicit LossProblem(const ProblemSpec& spec);

  ProblemSpec spec;
  ref::RowMatrix<double> embeddings;  // E [n, d]
  std::vector<double> merge;
  PairTargets given;
  ref::LossValue<double> want;
  // Both for float32's rounding of the embeddings.
  LossSlack slack;
  Conditioning conditioning;
};

/// The longest sum behind an element of G: the width, and the most pairs that one point is in.
std::int64_t loss_reduction_length(const ProblemSpec& spec, const PairTargets& given);

/// The longest sum behind an element of the merge's gradient: the width, and all pairs.
std::int64_t merge_reduction_length(const ProblemSpec& spec);

/// The relative error that a loss value may have: the distances' of their widths, and the mean's,
/// which is taken in float64.
double loss_value_tolerance(const ProblemSpec& spec, Precision precision);

/// What both loss ops have in a trial; Args is DistanceLossArgs<T> or AllPairsLossArgs<T>.
template <class Args, class T>
class LossTrial {
 public:
  using Problem = LossProblem;

  LossTrial(const Problem& problem, Device device);
  const Args& args() const { return args_; }
  void reset();
  std::vector<ref::Comparison> compare(Precision precision) const;
  std::uint64_t fingerprint() const {
    return Fingerprint()
        .add(loss_value_.copy_out())
        .add(gradient_.copy_out())
        .add(merge_gradient_.copy_out())
        .value();
  }

 private:
  const Problem& problem_;
  Buffer<T> embeddings_, merge_;
  DevicePairs<T> pairs_;
  Buffer<double> loss_value_;
  Buffer<T> gradient_, merge_gradient_;
  Args args_;
};

template <class T>
class Trial<DistanceLossArgs<T>> : public LossTrial<DistanceLossArgs<T>, T> {
 public:
  using LossTrial<DistanceLossArgs<T>, T>::LossTrial;
};

template <class T>
class Trial<AllPairsLossArgs<T>> : public LossTrial<AllPairsLossArgs<T>, T> {
 public:
  using LossTrial<AllPairsLossArgs<T>, T>::LossTrial;
};

}  // namespace siamese::verify
