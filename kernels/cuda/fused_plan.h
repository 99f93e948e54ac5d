#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/cuda/shared_memory.h"
#include "kernels/ops.h"
#include "model/network.h"

namespace siamese::cuda {

inline constexpr int most_fused_layers = 8;
inline constexpr int product_depth = 16;  ///< inputs that one product of bf16 takes

/// How a fused rung uses a block. A unit of warps has rows (points) to itself.
struct FusedForm {
  int units;
  int rows;     ///< of a unit
  int padding;  ///< elements by which lines of weights and activations are longer than columns
  int buffers;  ///< of a unit's activations
  std::int64_t widest_layer;
  std::int64_t most_shared_bytes;
};

/// Of mma.sync, from compute capability 8.0 on: a unit is a warp, which holds the inputs of a layer
/// in registers. Lines are an odd number of 16 bytes long, so that 8 of them lie in all banks.
inline constexpr FusedForm fused_mma{.units = 8,
                                     .rows = 16,
                                     .padding = 8,
                                     .buffers = 1,
                                     .widest_layer = 256,
                                     .most_shared_bytes = shared_bytes_80};

/// Of wgmma and its twin, from compute capability 9.0 on: a unit is a warpgroup, whose inputs lie
/// in one buffer while its outputs go to the other.
inline constexpr FusedForm fused_wgmma{.units = 2,
                                       .rows = 64,
                                       .padding = 0,
                                       .buffers = 2,
                                       .widest_layer = 1024,
                                       .most_shared_bytes = shared_bytes_90};

/// A layer, its sides padded with zeros to whole steps. In shared memory: W bf16 [depth, pitch] and
/// b float32 [columns], bytes from the beginning.
struct FusedLayer {
  int inputs;
  int outputs;
  int depth;    ///< inputs, padded
  int columns;  ///< outputs, padded
  int pitch;    ///< columns and the form's padding
  Activation activation;
  int weights;
  int bias;
  std::int64_t parameters;  ///< where W begins in the flat buffer; b follows

  bool operator==(const FusedLayer&) const = default;
};

/// Where a block keeps all parameters, and its units the activations of their rows.
struct FusedPlan {
  int layers;
  FusedLayer layer[most_fused_layers];
  int widest;            ///< padded width of the widest input or output
  int pitch;             ///< of a unit's activations, bf16 [buffers, rows, pitch]
  int activations;       ///< of the first unit, bytes from the beginning; the others' follow
  int activation_bytes;  ///< of a unit
  int shared_bytes;
};

/// Where things lie in shared memory.
class FusedPlaces {
 public:
  /// With the padding of a FusedForm.
  explicit FusedPlaces(int padding) : padding_(padding) {}

  int take(int bytes) { return static_cast<int>(layout_.take(bytes)); }
  /// A layer with sides of at least `depth` and `columns`, and places for its W and b.
  FusedLayer take_layer(const Layer& layer, std::int64_t depth, std::int64_t columns);
  int bytes() const { return static_cast<int>(layout_.bytes()); }

 private:
  int padding_;
  SharedLayout layout_{16};
};

/// For a network that why_not_fused has nothing against.
FusedPlan plan_fused(const Network& network, const FusedForm& form);

/// Why a block cannot keep a network: too many layers, a layer that is too wide, or more than the
/// shared memory that a block has.
std::optional<std::string> why_not_fused(const Network& network, const FusedForm& form);

/// Why a training step that computes both points of each pair anew, and keeps gradients on chip,
/// does not serve this batch: a distance with weights, all pairs of some points, or many more pairs
/// than points.
std::optional<std::string> why_not_pair_by_pair(const TrainStepArgs<float>& args);

}  // namespace siamese::cuda
