#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/part_sum.cuh"
#include "kernels/cuda/sum_parts.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int warps = 8;  // of a block, for a warp's width of elements; each sums every 8th part

__global__ void sum_parts(const float* __restrict__ parts,  // [part_count, count]
                          std::int64_t part_count, std::int64_t count, float* __restrict__ sums) {
  __shared__ float warp_sums[warps][warp_size];
  const int lane = own_lane();
  const int warp = own_warp();
  const std::int64_t i = std::int64_t{blockIdx.x} * warp_size + lane;
  const bool exists = i < count;
  const std::int64_t own_parts = ceil_div(part_count - warp, warps);
  if (exists) {
    warp_sums[warp][lane] = part_sum(parts + warp * count, own_parts, warps * count, i);
  }
  __syncthreads();
  if (warp > 0 || !exists) return;
  float total = 0.0F;
#pragma unroll
  for (int w = 0; w < warps; ++w) total += warp_sums[w][lane];
  sums[i] = total;
}

}  // namespace

void launch_sum_parts(const float* parts, std::int64_t part_count, std::int64_t count, float* sums,
                      cudaStream_t stream) {
  if (count == 0) return;
  sum_parts<<<tile_blocks(ceil_div(count, warp_size), "sum_parts"), warps * warp_size, 0, stream>>>(
      parts, part_count, count, sums);
  SIAMESE_CHECK_LAUNCH("sum_parts");
}

}  // namespace siamese::cuda
