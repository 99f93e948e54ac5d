#pragma once

#include <cstdint>

#include "kernels/cuda/fused_plan.h"
#include "kernels/cuda/in_batches.cuh"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/pack.cuh"

// How the fused rungs bring a network into a block's shared memory: weights in bf16, biases in
// float32, zeros in the padding.
namespace siamese::cuda::fused {

inline constexpr int threads = 256;
inline constexpr int warps = threads / warp_size;
inline constexpr int load_batch = 16;  ///< loads of a thread that are under way together

/// A float32 matrix [rows, columns] in global memory, 0 beyond.
class PaddedMatrix {
 public:
  __device__ PaddedMatrix(const float* data, std::int64_t rows, int columns)
      : data_(data), rows_(rows), columns_(columns), aligned_(holds_pairs(data, columns)) {}

  /// Two neighbours of a row, from an even column on.
  __device__ float2 pair(std::int64_t row, int column) const {
    const float* const from = data_ + row * columns_ + column;
    const int left = row < rows_ ? columns_ - column : 0;
    if (aligned_) return left > 0 ? *reinterpret_cast<const float2*>(from) : float2{};
    return {left > 0 ? from[0] : 0.0F, left > 1 ? from[1] : 0.0F};
  }

 private:
  const float* data_;
  std::int64_t rows_;
  int columns_;
  bool aligned_;
};

/// Two neighbours of a row, of which those before `columns` exist.
__device__ inline void store_pair(float* row, int column, int columns, bool aligned,
                                  const float (&h)[2]) {
  if (aligned && column < columns) {
    // As an intrinsic, for the compiler takes some of these stores apart.
    __stwb(reinterpret_cast<float2*>(row + column), {h[0], h[1]});
    return;
  }
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    if (column + e < columns) row[column + e] = h[e];
  }
}

/// b of a layer, from behind its W, to its place: elements first, first + step, ..
__device__ inline void load_bias(const FusedLayer& layer, const float* weights, unsigned char* to,
                                 int first, int step) {
  const float* const bias = weights + static_cast<std::int64_t>(layer.inputs) * layer.outputs;
  auto* const biases = reinterpret_cast<float*>(to + layer.bias);
  for (int c = first; c < layer.columns; c += step) {
    biases[c] = c < layer.outputs ? bias[c] : 0.0F;
  }
}

}  // namespace siamese::cuda::fused
