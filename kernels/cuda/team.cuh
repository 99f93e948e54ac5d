#pragma once

#include <cooperative_groups.h>

#include "kernels/cuda/index.cuh"

namespace siamese::cuda {

// A team is the threads that train one network together: it has a number of threads, this one's
// place among them, and a barrier. Device code that strides its work over a team serves a block and
// a grid alike.

/// The threads of one block.
struct BlockTeam {
  __device__ int rank() const { return static_cast<int>(threadIdx.x); }
  __device__ int size() const { return static_cast<int>(blockDim.x); }
  __device__ void sync() const { __syncthreads(); }
};

/// The threads of a cooperative grid, at most 2^31 - 1.
struct GridTeam {
  cooperative_groups::grid_group grid = cooperative_groups::this_grid();

  __device__ int rank() const { return static_cast<int>(grid_thread()); }
  __device__ int size() const { return static_cast<int>(grid_threads()); }
  __device__ void sync() const { grid.sync(); }
};

}  // namespace siamese::cuda
