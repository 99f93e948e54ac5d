#pragma once

#include <cstdint>
#include <optional>

#include "kernels/cuda/launch.h"

namespace siamese::cuda {

// Products that are as deep as a batch has points, for the chain rungs. A tile of the tiled rungs
// is read by every block that another tile of the same points goes to; here a block has the whole
// product, so that every element of h and dz is fetched from memory once.

/// The gradient of a layer's weights and bias, [dW; db] [inputs + 1, outputs] = [h 1]^T dz: a sum
/// over so many points that two matrices stream by and what is kept is small against them.
struct TallGradient {
  const float* h;   ///< [points, inputs]
  const float* dz;  ///< [points, outputs]
  std::int64_t points;
  int inputs;
  int outputs;

  std::int64_t elements() const { return (std::int64_t{inputs} + 1) * outputs; }
};

enum class TallKernel {
  patches,  ///< patch_gradient.h
  stripes   ///< stripe_gradient.h
};

struct TallPlan {
  TallKernel kernel;
  std::int64_t parts;       ///< into which the points are cut: one a block, at least 2
  std::int64_t part_depth;  ///< points of every part but perhaps the last
};

/// Nothing where neither kernel serves: other widths, rows that do not hold packs of 16 bytes, or
/// fewer points than make up for adding the parts up.
std::optional<TallPlan> plan_tall(const TallGradient& gradient);

/// parts [plan.parts, inputs + 1, outputs], 16-byte aligned: each part's sums.
void launch_tall(const TallGradient& gradient, const TallPlan& plan, float* parts,
                 cudaStream_t stream);

}  // namespace siamese::cuda
