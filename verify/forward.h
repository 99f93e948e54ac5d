#pragma once

#include <vector>

#include "verify/by_precision.h"
#include "verify/trial.h"

namespace siamese::verify {

/// Inputs of pair_forward and the activations of every layer by the reference.
struct PairForwardProblem {
  explicit PairForwardProblem(const ProblemSpec& spec);

  ProblemSpec spec;
  std::vector<double> parameters;
  ref::RowMatrix<double> x;               // X [n, d0]
  std::vector<ref::RowMatrix<double>> h;  // h_1 .. h_L
};

/// The relative error that the activations of layer l may have from sums: what each layer up to it
/// adds. What the rounding of operands adds is told element by element (verify/rounding.h).
double forward_tolerance(const Network& network, std::size_t layer, Precision precision);

template <class T>
class Trial<PairForwardArgs<T>> {
 public:
  using Problem = PairForwardProblem;

  Trial(const Problem& problem, Device device);
  const PairForwardArgs<T>& args() const { return args_; }
  void reset();
  std::vector<ref::Comparison> compare(Precision precision) const;
  std::uint64_t fingerprint() const {
    return Fingerprint().add(hidden_.copy_out()).add(embeddings_.copy_out()).value();
  }

 private:
  const Problem& problem_;
  Buffer<T> x_, parameters_, hidden_, embeddings_;
  PairForwardArgs<T> args_;
  ByPrecision<std::vector<ref::Tolerance>> tolerances_;  // of each layer; as large as h
};

}  // namespace siamese::verify
