#pragma once

#include <memory>
#include <optional>
#include <string>

#include "kernels/ops.h"
#include "kernels/variant.h"

// What the registrations of CPU variants share.

namespace siamese {

/// The precision whose scalar in memory is T.
template <class T>
inline constexpr Precision precision_of = sizeof(T) == sizeof(double) ? Precision::float64
                                                                      : Precision::float32;

/// why_unsupported of a variant that serves every shape.
template <class Args>
std::optional<std::string> any_shape(const Args&) {
  return std::nullopt;
}

/// why_unsupported of distance_loss, whose pairs are listed or dense.
template <class T>
std::optional<std::string> listed_pairs(const DistanceLossArgs<T>& args) {
  if (args.pairs.form != PairForm::all) return std::nullopt;
  return "pairs of the form all: all_pairs_loss serves them";
}

/// A launch that runs a prepared operation: an object made from its arguments, with run().
template <class Operation, class Args>
Launch launch_of(const Args& args) {
  return [operation = std::make_shared<Operation>(args)](Stream) { operation->run(); };
}

}  // namespace siamese
