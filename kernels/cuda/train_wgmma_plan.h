#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/cuda/fused_plan.h"
#include "kernels/ops.h"

namespace siamese::cuda {

/// The training step on warpgroups (train_step_wgmma.cu): networks of three layers, pairs whose
/// points are their own.
///
/// A stripe is 32 pairs, 64 rows: warp w of a warpgroup has 8 pairs, rows 16 w .. 16 w + 7 their
/// first points, the next 8 rows their second ones. So a lane holds the same components of both
/// points of a pair.
inline constexpr int stripe_rows = 64;
inline constexpr int stripe_pairs = stripe_rows / 2;
inline constexpr int outer_columns = 16;  ///< inputs with a column of ones, and outputs, padded
inline constexpr int most_middle_columns = 256;
inline constexpr int chain_groups = 2;   ///< warpgroups of a block of the first kernel
inline constexpr int middle_groups = 2;  ///< that multiply, of a block of the second kernel
inline constexpr int middle_ring = 4;    ///< records that a block of the second kernel holds
inline constexpr int middle_tile = 64;   ///< units of the first layer that a warpgroup takes
inline constexpr int middle_units = middle_groups * middle_tile;        ///< and a block
inline constexpr int middle_stages = middle_units * outer_columns * 2;  ///< the ring, behind W_1

/// Sizes of both kernels. What the first leaves for the second of each stripe, its record, is dz_2
/// and then x with its column of ones, bf16 in the blocks of warpgroup.cuh.
struct TrainPlan {
  FusedLayer layer[3];  ///< as the first kernel keeps them
  int image_bytes;      ///< of those, at the beginning of shared memory
  int chain_group;      ///< what a warpgroup has of shared memory, bytes from the beginning
  int chain_group_bytes;
  int chain_shared_bytes;

  int middle_tiles;  ///< blocks of the second kernel that share out the units of the first layer
  int middle_shared_bytes;

  std::int64_t pairs;
  std::int64_t stripes;

  constexpr int record_bytes() const {
    return stripe_rows * (layer[1].columns + outer_columns) * 2;
  }
  /// Parameters of the first layer, of the second, of the last.
  constexpr std::int64_t parameters(int l) const {
    return static_cast<std::int64_t>(layer[l].inputs + 1) * layer[l].outputs;
  }
};

TrainPlan plan_train(const TrainStepArgs<float>& args);

/// Why a step cannot be made this way: its shapes, or more shared memory than a block has.
std::optional<std::string> why_not_train(const TrainStepArgs<float>& args);

}  // namespace siamese::cuda
