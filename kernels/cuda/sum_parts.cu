#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/part_sum.cuh"
#include "kernels/cuda/sum_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

__global__ void sum_parts(const float* __restrict__ parts,  // [part_count, count]
                          std::int64_t part_count, std::int64_t count, float* __restrict__ sums) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    sums[i] = part_sum(parts, part_count, count, i);
  }
}

}  // namespace

void launch_sum_parts(const float* parts, std::int64_t part_count, std::int64_t count, float* sums,
                      cudaStream_t stream) {
  sum_parts<<<strided_blocks(count, threads), threads, 0, stream>>>(parts, part_count, count, sums);
  SIAMESE_CHECK_LAUNCH("sum_parts");
}

}  // namespace siamese::cuda
