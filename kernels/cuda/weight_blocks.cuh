#pragma once

#include "kernels/cuda/fused_forward.cuh"
#include "kernels/cuda/wgmma.cuh"

// Weights in shared memory as warpgroups multiply by them.

namespace siamese::cuda::fused {

/// W of a layer, blocks [depth, columns]: wgmma's B as it is, and that of W^T.
__device__ inline wgmma::Blocks weight_blocks(const FusedLayer& layer, unsigned char* shared) {
  return {reinterpret_cast<std::uint32_t*>(shared + layer.weights), layer.depth};
}

/// Rounds them into their place, zeros in the padding, by `block_threads` threads.
__device__ inline void load_weight_blocks(const FusedLayer& layer, const float* weights,
                                          unsigned char* shared, int block_threads = threads) {
  const wgmma::Blocks blocks = weight_blocks(layer, shared);
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int down = layer.depth / 8;
  for (int b = static_cast<int>(threadIdx.x) / warp_size; b < down * layer.columns / 8;
       b += block_threads / warp_size) {
    const int row = b % down * 8;
    const int column = b / down * 8;
    blocks.own_pair(row, column) =
        rounded_pair(weights, layer.inputs, layer.outputs, row + lane / 4, column + lane % 4 * 2);
  }
  wgmma::fence_stores();
}

}  // namespace siamese::cuda::fused
