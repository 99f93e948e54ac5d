#pragma once

#include <cstdint>
#include <type_traits>

namespace siamese::cuda {

/// The sum of every `step`th of `count` parts, from number `first` on, in their order. Parts are
/// `stride` elements apart; `element` is that of part 0. Loads of 16 parts are under way together,
/// and then those of 8, 4, 2 and 1, where so many are left: a loop over the last would wait for
/// each.
__device__ inline float part_sum(const float* __restrict__ element, int first, int step, int count,
                                 std::int64_t stride) {
  const float* at = element + first * stride;
  const std::int64_t pitch = step * stride;
  int part = first;
  float sum = 0.0F;
  const auto add = [&](auto batch) {
#pragma unroll
    for (int j = 0; j < batch.value; ++j, at += pitch) sum += *at;
    part += batch.value * step;
  };
#pragma unroll 1
  while (part + 15 * step < count) add(std::integral_constant<int, 16>{});
  if (part + 7 * step < count) add(std::integral_constant<int, 8>{});
  if (part + 3 * step < count) add(std::integral_constant<int, 4>{});
  if (part + step < count) add(std::integral_constant<int, 2>{});
  if (part < count) add(std::integral_constant<int, 1>{});
  return sum;
}

}  // namespace siamese::cuda
