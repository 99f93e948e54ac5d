#pragma once

#include <cstdint>

#include "kernels/cuda/fit_batches.h"
#include "kernels/ops.h"
#include "model/network.h"

namespace siamese::cuda {

/// Where an array of a training lies: in a block's shared memory or in the workspace.
struct Place {
  bool shared;
  std::int64_t offset;  ///< in bytes, from the beginning of either
};

/// A layer, and where a training keeps its arrays (panel.h). The flat buffer has b right after W,
/// so that both together are one matrix [inputs + 1, outputs], and the layer's input has a column
/// of ones: the products then add the bias, and find its gradient, by themselves.
struct PlannedLayer {
  int inputs;
  int outputs;
  Activation activation;
  std::int64_t parameters;  ///< where W begins in the flat buffers
  Place weights;            ///< [inputs + 1, outputs]
  Place output;             ///< h_l [rows, outputs + 1]
  Place gradient;           ///< dLoss/dz_l [rows, outputs]
};

/// Where a training by one team keeps everything that lasts longer than a step's phase.
struct FitPlan {
  FitBatches batches;
  std::int64_t parameters;  ///< of a training
  int layers;
  PlannedLayer layer[most_fit_layers];
  Place adam;   ///< the step's scalars
  Place costs;  ///< [cost_count]: each thread's costs of an epoch
  int cost_count;
  Place pairs;  ///< [batch]
  Place input;  ///< [rows, d0 + 1]
  std::int64_t shared_bytes;
  std::int64_t workspace_bytes;
  std::int64_t merge;  ///< where the merge's parameters begin; last, where it costs no registers
};

/// A plan for a team of so many threads that gives as much as fits a place in `shared_bytes`, what
/// is read most first; the rest goes to the workspace. `pair_bytes` is the size of a BatchPair.
template <class T>
FitPlan plan_fit(const FitArgs<T>& args, std::int64_t threads, std::int64_t pair_bytes,
                 std::int64_t shared_bytes);

}  // namespace siamese::cuda
