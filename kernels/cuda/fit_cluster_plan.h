#pragma once

#include <cstdint>

#include "kernels/cuda/fit_batches.h"
#include "kernels/ops.h"
#include "model/network.h"

namespace siamese::cuda {

/// Blocks of the cluster; 8 is what every device with clusters can place.
inline constexpr int cluster_blocks = 8;

/// A layer sliced over the blocks of a cluster, and where each block keeps its arrays (panel.h):
/// bytes from the beginning of its shared memory, the same in every block. Of a hidden layer a
/// block owns `units` outputs (fewer or none, where they do not come out even) and their columns of
/// [W; b]; of the last layer it owns the rows of W for its units of the layer below, and b is the
/// first block's.
struct ClusterLayer {
  int inputs;
  int outputs;
  Activation activation;
  std::int64_t parameters;  ///< where W begins in the flat buffers
  int units;                ///< of a hidden layer
  bool gathered;          ///< whether every block needs all of the output: not that of the last two
  std::int64_t weights;   ///< [inputs + 1, units], last [units below + 1, outputs]
  std::int64_t m;         ///< as weights
  std::int64_t v;         ///< as weights
  std::int64_t output;    ///< [2][rows, outputs + 1] if gathered, hidden else [rows, units + 1]
  std::int64_t gradient;  ///< dLoss/dz of the units [rows, units], last [rows, outputs]
  std::int64_t received;  ///< if gathered, each block's share of dLoss/dh [blocks][rows, units]
};

struct ClusterPlan {
  FitBatches batches;
  std::int64_t parameters;  ///< of a training
  int layers;
  ClusterLayer layer[most_fit_layers];
  std::int64_t adam;   ///< the step's scalars
  std::int64_t costs;  ///< [cost_count]
  int cost_count;
  std::int64_t pairs;       ///< [batch]
  std::int64_t input;       ///< [rows, d0 + 1]
  std::int64_t shares;      ///< each block's share of z_L [2][blocks][rows, d]
  std::int64_t embeddings;  ///< [rows, d]
  std::int64_t merge;       ///< the merge's parameters, m and v [3][merge_count]
  int merge_count;
  std::int64_t merge_parameters;  ///< where they begin in the flat buffers
  std::int64_t shared_bytes;
};

/// For a network of two layers or more. `pair_bytes` is the size of a BatchPair.
template <class T>
ClusterPlan plan_cluster(const FitArgs<T>& args, std::int64_t threads, std::int64_t pair_bytes);

/// Why no cluster can train it: what why_no_fit says, a network without a hidden layer to slice, or
/// more shared memory than a block has (shared_memory.h).
template <class T>
std::optional<std::string> why_no_cluster(const FitArgs<T>& args, std::int64_t threads,
                                          std::int64_t pair_bytes);

}  // namespace siamese::cuda
