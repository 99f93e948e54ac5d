#pragma once

#include <cstdint>

namespace siamese::cuda {

inline constexpr int warp_size = 32;
inline constexpr unsigned full_warp = 0xFFFFFFFFU;

/// Number of this thread in the grid, and of all threads: where a strided loop begins, and its
/// step.
__device__ inline std::int64_t grid_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline std::int64_t grid_threads() {
  return static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

/// Number of this thread in its warp, and of its warp in the block, which has one dimension.
__device__ inline int own_lane() { return static_cast<int>(threadIdx.x) % warp_size; }
__device__ inline int own_warp() { return static_cast<int>(threadIdx.x) / warp_size; }

}  // namespace siamese::cuda
