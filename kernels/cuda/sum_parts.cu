#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/part_sum.cuh"
#include "kernels/cuda/sum_parts.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int most_warps = 8;  // of a block, for a warp's width of elements, that share the parts
constexpr int parts_of_warp = 8;  // before there is another warp

__global__ void sum_parts(const float* __restrict__ parts,  // [part_count, count]
                          int part_count, std::int64_t count, float* __restrict__ sums) {
  __shared__ float warp_sums[most_warps][warp_size];
  const int lane = own_lane();
  const int warp = own_warp();
  const int warps = static_cast<int>(blockDim.x) / warp_size;
  const std::int64_t i = std::int64_t{blockIdx.x} * warp_size + lane;
  const bool exists = i < count;
  if (exists) warp_sums[warp][lane] = part_sum(parts + i, warp, warps, part_count, count);
  __syncthreads();
  if (warp > 0 || !exists) return;
  float total = 0.0F;
  for (int w = 0; w < warps; ++w) total += warp_sums[w][lane];
  sums[i] = total;
}

}  // namespace

void launch_sum_parts(const float* parts, std::int64_t part_count, std::int64_t count, float* sums,
                      cudaStream_t stream) {
  if (count == 0) return;
  const int warps = static_cast<int>(
      std::clamp<std::int64_t>(ceil_div(part_count, parts_of_warp), 1, most_warps));
  sum_parts<<<tile_blocks(ceil_div(count, warp_size), "sum_parts"), warps * warp_size, 0, stream>>>(
      parts, static_cast<int>(part_count), count, sums);
  SIAMESE_CHECK_LAUNCH("sum_parts");
}

}  // namespace siamese::cuda
