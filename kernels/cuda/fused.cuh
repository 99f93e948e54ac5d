#pragma once

#include <cstdint>

#include "kernels/cuda/fused_plan.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/mma.cuh"

// How the fused rungs bring a network into a block's shared memory: weights in bf16, biases in
// float32, zeros in the padding.
namespace siamese::cuda::fused {

inline constexpr int threads = 256;
inline constexpr int warps = threads / warp_size;

/// Two neighbours of a row of a float32 matrix [rows, columns] as bf16; 0 beyond.
__device__ inline std::uint32_t rounded_pair(const float* matrix, std::int64_t rows, int columns,
                                             std::int64_t row, int column) {
  const auto element = [&](int c) {
    return row < rows && c < columns ? matrix[row * columns + c] : 0.0F;
  };
  return mma::bf16_pair(element(column), element(column + 1));
}

/// W bf16 [depth, pitch] of a layer, by all threads of the block.
__device__ inline void load_weight_lines(const FusedLayer& layer, const float* weights,
                                         unsigned char* shared) {
  auto* const pairs = reinterpret_cast<std::uint32_t*>(shared + layer.weights);
  const int thread = static_cast<int>(threadIdx.x);
  for (int k = thread / warp_size; k < layer.depth; k += warps) {
    for (int column = thread % warp_size * 2; column < layer.columns; column += 2 * warp_size) {
      pairs[(k * layer.pitch + column) / 2] =
          rounded_pair(weights, layer.inputs, layer.outputs, k, column);
    }
  }
}

/// b of a layer, from behind its W, by `block_threads` threads.
__device__ inline void load_bias(const FusedLayer& layer, const float* weights,
                                 unsigned char* shared, int block_threads = threads) {
  const float* const bias = weights + static_cast<std::int64_t>(layer.inputs) * layer.outputs;
  auto* const biases = reinterpret_cast<float*>(shared + layer.bias);
  for (int c = static_cast<int>(threadIdx.x); c < layer.columns; c += block_threads) {
    biases[c] = c < layer.outputs ? bias[c] : 0.0F;
  }
}

}  // namespace siamese::cuda::fused
