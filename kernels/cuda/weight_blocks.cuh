#pragma once

#include "kernels/cuda/fused_forward.cuh"
#include "kernels/cuda/warpgroup.cuh"

// Weights in shared memory as warpgroups multiply by them.

namespace siamese::cuda::fused {

/// W of a layer, blocks [depth, columns]: a product's B as it is, and that of W^T.
__device__ inline warpgroup::Blocks weight_blocks(const FusedLayer& layer, unsigned char* shared) {
  return {reinterpret_cast<std::uint32_t*>(shared + layer.weights), layer.depth};
}

/// Rounds them into their place, zeros in the padding, by `block_threads` threads.
__device__ inline void load_weight_blocks(const FusedLayer& layer, const float* weights,
                                          unsigned char* shared, int block_threads) {
  const warpgroup::Blocks blocks = weight_blocks(layer, shared);
  const PaddedMatrix matrix(weights, layer.inputs, layer.outputs);
  const int lane = own_lane();
  const int warp = own_warp();
  for (int column = warp * 8; column < layer.columns; column += block_threads / warp_size * 8) {
    in_batches<load_batch>(
        0, 1, layer.depth / 8,
        [&](int down) { return matrix.pair(down * 8 + lane / 4, column + lane % 4 * 2); },
        [&](int down, float2 pair) {
          blocks.own_pair(down * 8, column) = mma::bf16_pair(pair.x, pair.y);
        });
  }
}

}  // namespace siamese::cuda::fused
