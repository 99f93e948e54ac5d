#pragma once

#include <cstdint>

#include "kernels/multiples.h"

namespace siamese::cuda {

/// What a kernel's own variables, with their alignment, may take of a block's shared memory beside
/// what a plan lays out.
inline constexpr std::int64_t own_shared_bytes = 256;

/// What a plan may lay out on a device of compute capability 8.0 and 9.0, which have 163 and 227
/// KiB for a block.
inline constexpr std::int64_t shared_bytes_80 = std::int64_t{163} * 1024 - own_shared_bytes;
inline constexpr std::int64_t shared_bytes_90 = std::int64_t{227} * 1024 - own_shared_bytes;

/// Bytes that a plan made for `most` may lay out: fewer where the device has fewer. Where there is
/// no device, `most`.
std::int64_t shared_limit(std::int64_t most);

/// Hands out a block's shared memory from its beginning on, at multiples of `alignment` bytes.
class SharedLayout {
 public:
  explicit constexpr SharedLayout(std::int64_t alignment) : alignment_(alignment) {}

  std::int64_t take(std::int64_t bytes) {
    const std::int64_t at = bytes_;
    bytes_ += round_up(bytes, alignment_);
    return at;
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::int64_t alignment_;
  std::int64_t bytes_ = 0;
};

}  // namespace siamese::cuda
