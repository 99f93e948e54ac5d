#pragma once

#include <cstdint>

namespace siamese::cuda {

/// Element i of the sum of `count` parts, `stride` elements apart, in their order. The loads do not
/// wait for the additions.
__device__ inline float part_sum(const float* parts, std::int64_t count, std::int64_t stride,
                                 std::int64_t i) {
  float sum = 0.0F;
#pragma unroll 16
  for (std::int64_t part = 0; part < count; ++part) sum += parts[part * stride + i];
  return sum;
}

}  // namespace siamese::cuda
