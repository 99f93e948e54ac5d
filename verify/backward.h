#pragma once

#include <vector>

#include "verify/by_precision.h"
#include "verify/forward.h"
#include "verify/trial.h"

namespace siamese::verify {

/// Inputs of pair_backward: what forward saved, rounded to float32 as a kernel finds it, some
/// gradient G [n, d] of the embeddings, and the gradients of the parameters by the reference.
struct PairBackwardProblem {
  explicit PairBackwardProblem(const ProblemSpec& spec);

  ProblemSpec spec;
  std::vector<double> parameters;
  ref::RowMatrix<double> x;
  std::vector<ref::RowMatrix<double>> h;
  ref::RowMatrix<double> gradient;
  std::vector<double> want;

  /// What the rounding of products' operands may do to them.
  const std::vector<double>& rounding(Precision precision) const;

 private:
  ByPrecision<std::vector<double>> rounding_;
};

/// The relative error that the gradients of layer `layer` may have: from the sum over points, and
/// from the products with the weights of the layers above, whose own rounding is the same for all
/// points. What else the rounding of operands adds is told element by element (verify/rounding.h).
double gradient_tolerance(const Network& network, std::int64_t points, std::size_t layer,
                          Precision precision);

/// Compares gradients in the flat layout, weights and bias of each layer apart, within
/// gradient_tolerance + extra_relative and `slack` (flat as well, or empty).
template <class T>
std::vector<ref::Comparison> compare_gradients(const ProblemSpec& spec, const std::vector<T>& got,
                                               const std::vector<double>& want,
                                               const std::vector<double>& slack,
                                               double extra_relative, Precision precision);

template <class T>
class Trial<PairBackwardArgs<T>> {
 public:
  using Problem = PairBackwardProblem;

  Trial(const Problem& problem, Device device);
  const PairBackwardArgs<T>& args() const { return args_; }
  void reset();
  std::vector<ref::Comparison> compare(Precision precision) const;
  std::uint64_t fingerprint() const { return Fingerprint().add(gradients_.copy_out()).value(); }

 private:
  const Problem& problem_;
  Buffer<T> x_, parameters_, hidden_, embeddings_, gradient_, gradients_;
  PairBackwardArgs<T> args_;
};

}  // namespace siamese::verify
