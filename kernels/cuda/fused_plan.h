#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/network.h"

namespace siamese::cuda {

/// The fused rungs: layers, and warps of a block. A warp has 16 rows (points) to itself.
inline constexpr int most_fused_layers = 8;
inline constexpr int fused_warps = 8;
inline constexpr int fused_rows = 16;
inline constexpr int fused_step = 16;  ///< inputs that one mma of bf16 takes

/// A layer, its sides padded with zeros to whole steps. In shared memory: W bf16 [depth, pitch] and
/// b float32 [columns], bytes from the beginning.
struct FusedLayer {
  int inputs;
  int outputs;
  int depth;    ///< inputs, padded
  int columns;  ///< outputs, padded
  int pitch;    ///< columns + 8: an odd number of 16 bytes, so that 8 lines lie in all banks
  Activation activation;
  int weights;
  int bias;
  std::int64_t parameters;  ///< where W begins in the flat buffer; b follows
};

/// Where a block keeps all parameters, and its warps the activations of their rows.
struct FusedPlan {
  int layers;
  FusedLayer layer[most_fused_layers];
  int widest;       ///< padded width of the widest input or output
  int pitch;        ///< of a warp's activations, bf16 [fused_rows, pitch]
  int activations;  ///< of the first warp, bytes from the beginning; the others' follow
  int shared_bytes;

  constexpr int activation_bytes() const { return fused_rows * pitch * 2; }
};

/// Hands out shared memory, from its beginning on.
struct FusedPlaces {
  int bytes = 0;

  int take(int wanted);
  /// A layer with sides of at least `depth` and `columns`, and places for its W and b.
  FusedLayer take_layer(const Layer& layer, std::int64_t depth, std::int64_t columns);
};

/// For a network that why_not_fused has nothing against.
FusedPlan plan_fused(const Network& network);

/// Why a block cannot keep a network: too many layers, a layer that is too wide for registers, or
/// more than the shared memory that a block has from sm_80 on.
std::optional<std::string> why_not_fused(const Network& network);

}  // namespace siamese::cuda
