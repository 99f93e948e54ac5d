#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "kernels/ops.h"

namespace siamese::cuda {

/// How a training that stays on the device goes through its pairs, and what a step has for rows. A
/// batch that could touch every point has the points for rows; a smaller one brings two rows of its
/// own for each pair, pair p of `count` the rows p and count + p, as dense pairs do.
struct FitBatches {
  int batch;      ///< pairs of a step, except perhaps an epoch's last
  int most_rows;  ///< of any step
  bool own_rows;  ///< two a pair
  bool shuffled;  ///< by the epoch's permutation; else every step sees every pair
};

/// For arguments that why_no_fit has nothing against.
template <class T>
FitBatches fit_batches(const FitArgs<T>& args) {
  const std::int64_t pairs = args.training.pairs.count;
  const std::int64_t batch = std::min(args.batch, std::max<std::int64_t>(pairs, 1));
  const bool own_rows = 2 * batch < args.training.points;
  return {static_cast<int>(batch), static_cast<int>(own_rows ? 2 * batch : args.training.points),
          own_rows, args.batch < pairs};
}

/// Most layers of a network, whose shapes travel as an argument of the kernel.
inline constexpr int most_fit_layers = 16;

/// Why a training cannot stay on the device: its batch, its depth, or a matrix beyond 32-bit
/// indices.
template <class T>
std::optional<std::string> why_no_fit(const FitArgs<T>& args);

}  // namespace siamese::cuda
