#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/cuda/fused_plan.h"
#include "model/network.h"

namespace siamese::cuda {

/// The fused training rungs: a block takes tiles of so many pairs, the first points of all and then
/// the second, through a network of three layers.
inline constexpr int step_layers = 3;
inline constexpr int step_pairs = 32;
inline constexpr int step_rows = 2 * step_pairs;

/// The middle layer's gradient lies in registers: 4 warps down, 2 across, each with tiles of 16
/// x 8.
inline constexpr int middle_row_tiles = 3;
inline constexpr int middle_column_tiles = 13;
inline constexpr int middle_rows = 4 * middle_row_tiles * 16;
inline constexpr int middle_columns = 2 * middle_column_tiles * 8;

/// Where a block keeps everything that a step needs; bytes from the beginning of shared memory. A
/// layer's input has a column of ones behind it, so that [dW; db] is one product; the weights' row
/// there is zeros, and `depth` counts it.
struct FusedStepPlan {
  FusedLayer layer[step_layers];
  int rows[step_layers + 1];  ///< bf16 [step_rows, pitch]: x, h_1, h_2; dz_3
  int embeddings;             ///< E float32 [step_rows, pitch]
  int gradient[step_layers];  ///< [dW; db] float32 [depth - held, pitch]
  int held[step_layers];      ///< first rows of [dW; db], that registers hold
  int shared_bytes;
  std::int64_t parameters;

  /// Of rows[l]: padded as weights' lines are.
  constexpr int pitch(int l) const {
    return l == 0 ? layer[0].depth + fused_mma.padding : layer[l - 1].pitch;
  }
};

/// For a network that why_no_fused_step has nothing against.
FusedStepPlan plan_fused_step(const Network& network);

/// Blocks for that many rows: one a tile, but no more than the device has multiprocessors, for each
/// loads the parameters; and one where there are no rows.
std::int64_t fused_step_blocks(std::int64_t rows);

/// Why a block cannot train a network: other than three layers, a gradient of the middle one that
/// is too wide for registers, or more shared memory than a block has (shared_memory.h).
std::optional<std::string> why_no_fused_step(const Network& network);

}  // namespace siamese::cuda
