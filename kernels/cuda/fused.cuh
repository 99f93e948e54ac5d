#pragma once

#include <cuda_bf16.h>

#include <cstdint>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/fused_plan.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/mma.cuh"

// What the fused rungs are made of: a block keeps all parameters in shared memory, a warp takes 16
// rows through layer after layer. A layer's input is in the warp's registers as the fragments of A
// (mma.cuh); its output goes to the warp's own lines of shared memory, from where the next layer
// reads it as fragments. No warp waits for another.

namespace siamese::cuda::fused {

inline constexpr int threads = fused_warps * warp_size;

/// Rounds a layer's parameters to bf16 into shared memory, weights [depth, pitch] with zeros in the
/// padding, and copies the bias, by all threads of the block.
__device__ inline void load_layer(const FusedLayer& layer, const float* parameters,
                                  unsigned char* shared) {
  const float* const weights = parameters + layer.parameters;
  const float* const bias = weights + static_cast<std::int64_t>(layer.inputs) * layer.outputs;
  auto* const pairs = reinterpret_cast<std::uint32_t*>(shared + layer.weights);
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  for (int k = static_cast<int>(threadIdx.x) / warp_size; k < layer.depth; k += fused_warps) {
    const auto weight = [&](int column) {
      const bool exists = k < layer.inputs && column < layer.outputs;
      return exists ? weights[k * layer.outputs + column] : 0.0F;
    };
    for (int column = lane * 2; column < layer.columns; column += 2 * warp_size) {
      pairs[(k * layer.pitch + column) / 2] = mma::bf16_pair(weight(column), weight(column + 1));
    }
  }
  auto* const biases = reinterpret_cast<float*>(shared + layer.bias);
  for (int c = static_cast<int>(threadIdx.x); c < layer.columns; c += threads) {
    biases[c] = c < layer.outputs ? bias[c] : 0.0F;
  }
}

/// All layers' parameters.
__device__ inline void load_parameters(const FusedPlan& plan, const float* parameters,
                                       unsigned char* shared) {
  for (int l = 0; l < plan.layers; ++l) load_layer(plan.layer[l], parameters, shared);
}

/// 16 rows as the fragments of A, step by step of 16 columns; zeros beyond what exists. `steps` is
/// the most that there can be.
template <int steps>
struct Rows {
  mma::Fragment<Precision::bf16, 4> step[steps];

  /// From a matrix [rows, columns] in global memory, from row `first` on.
  __device__ void load(const float* matrix, std::int64_t rows, int columns, std::int64_t first) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if (s * fused_step >= columns) break;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const std::int64_t row = first + lane / 4 + i % 2 * 8;
        const int column = s * fused_step + i / 2 * 8 + lane % 4 * 2;
        const auto element = [&](int c) {
          return row < rows && c < columns ? matrix[row * columns + c] : 0.0F;
        };
        step[s].rounded[i] = mma::bf16_pair(element(column), element(column + 1));
      }
    }
  }

  /// From the warp's lines of shared memory, [16, pitch].
  __device__ void read(const __nv_bfloat16* lines, int pitch, int columns) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    const __nv_bfloat16* const at = lines + lane % 16 * pitch + lane / 16 * 8;
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if (s * fused_step >= columns) break;
      mma::load_matrices<false>(at + s * fused_step, step[s].rounded);
    }
  }
};

/// Sums of the products of 16 rows with 16 columns of W: lane by lane as two C of mma.cuh.
using Sums = float[2][4];

/// sums [16, 16] = A [16, depth] W [depth, column .. column + 15]. Steps go to two sets of sums in
/// turn, so that four chains of multiply-adds are under way.
template <int steps>
__device__ void multiply(const Rows<steps>& a, const __nv_bfloat16* weights, int pitch, int depth,
                         int column, Sums& sums) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const __nv_bfloat16* const at = weights + lane % 16 * pitch + column + lane / 16 * 8;
  float partial[2][2][4] = {};
#pragma unroll
  for (int s = 0; s < steps; ++s) {
    if (s * fused_step >= depth) break;
    std::uint32_t b[4];
    mma::load_matrices<true>(at + s * fused_step * pitch, b);
    mma::multiply_add_bf16(a.step[s].rounded, {b[0], b[1]}, partial[s % 2][0]);
    mma::multiply_add_bf16(a.step[s].rounded, {b[2], b[3]}, partial[s % 2][1]);
  }
#pragma unroll
  for (int t = 0; t < 2; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) sums[t][i] = partial[0][t][i] + partial[1][t][i];
  }
}

}  // namespace siamese::cuda::fused
