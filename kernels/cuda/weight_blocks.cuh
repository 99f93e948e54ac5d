#pragma once

#include "kernels/cuda/fused_forward.cuh"
#include "kernels/cuda/warpgroup.cuh"

// Weights in shared memory as warpgroups multiply by them.

namespace siamese::cuda::fused {

/// W of a layer, blocks [depth, columns]: a product's B as it is, and that of W^T.
__device__ inline warpgroup::Blocks weight_blocks(const FusedLayer& layer, unsigned char* shared) {
  return {reinterpret_cast<std::uint32_t*>(shared + layer.weights), layer.depth};
}

}  // namespace siamese::cuda::fused
