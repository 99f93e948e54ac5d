#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cuda/launch.h"
#include "model/network.h"

namespace siamese::cuda {

inline constexpr int most_chain_layers = 16;
inline constexpr int chain_threads = 512;
inline constexpr int chain_patch_columns = 8;
inline constexpr int chain_stages = 4;  ///< slices of weights that are at work or on their way

/// One product of a chain, C [rows, columns] = A [rows, depth] B [depth, columns].
struct ChainStep {
  int depth;
  int columns;
  Activation activation;  ///< of the layer whose outputs the columns are
  int column_groups;      ///< of chain_patch_columns, that threads share
  int patch_rows;         ///< of a thread: 1, 2, 4 or 8, the fewest by which all threads get work
  int slice_depth;        ///< rows of B in shared memory at a time: a thread brings 4 elements
  int slice_pitch;        ///< elements from one to the next
  std::int64_t weights;   ///< where the layer's W begins in the flat buffer
};

/// How a block takes `rows` points through a network: their activations lie in shared memory,
/// feature by feature, float32 [widest, pitch], and behind them slices of weights.
struct ChainPlan {
  int steps;
  ChainStep step[most_chain_layers];
  int rows;   ///< a multiple of a thread's most rows
  int pitch;  ///< 4 more than a multiple of 32, so that 8 features by 4 points lie in all banks
  int slice_elements;   ///< of one slice
  std::int64_t slices;  ///< where they begin, in elements
  std::int64_t shared_bytes;
};

/// What a step is planned from.
struct ChainProduct {
  std::int64_t depth;
  std::int64_t columns;
  Activation activation;
  std::int64_t weights;
};

/// h_l = h_{l-1} W_l of each layer; dz_{l-1} = dz_l W_l^T from the last layer down to the second.
std::vector<ChainProduct> forward_products(const Network& network);
std::vector<ChainProduct> backward_products(const Network& network);

/// For products of points that come with `width` features, which why_no_chain has nothing against:
/// as many rows as a block's threads have registers for and its shared memory holds, or fewer where
/// not every multiprocessor would get a block.
ChainPlan plan_chain(const std::vector<ChainProduct>& products, std::int64_t width,
                     std::int64_t points);

/// Blocks for that many points: one for so many as a block takes, but no more than the device has
/// multiprocessors.
unsigned chain_blocks(const ChainPlan& plan, std::int64_t points);

/// Why a block cannot take points through a network: too many layers, or too wide ones.
std::optional<std::string> why_no_chain(const Network& network);

}  // namespace siamese::cuda
