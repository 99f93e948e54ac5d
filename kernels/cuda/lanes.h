#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace siamese::cuda {

/// Lanes of a warp that share a row of `width` components, one or several a lane: the least power
/// of two that holds the width, at most a warp.
constexpr int lanes_for(std::int64_t width) {
  return static_cast<int>(
      std::bit_ceil(static_cast<std::uint64_t>(std::clamp<std::int64_t>(width, 1, 32))));
}

}  // namespace siamese::cuda
