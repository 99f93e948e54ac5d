#pragma once

#include "kernels/cuda/index.cuh"

namespace siamese::cuda {

/// Sum over a block of `threads` (a power of two, at least a warp), in thread 0, in the same order
/// each time. Every thread of the block takes part.
template <int threads>
__device__ double block_sum(double value) {
  __shared__ double warp_sums[threads / warp_size];
  for (int offset = warp_size / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(full_warp, value, offset);
  }
  const int thread = static_cast<int>(threadIdx.x);
  if (thread % warp_size == 0) warp_sums[thread / warp_size] = value;
  __syncthreads();
  if (thread != 0) return 0.0;
  double sum = 0.0;
  for (const double warp_sum : warp_sums) sum += warp_sum;
  return sum;
}

}  // namespace siamese::cuda
