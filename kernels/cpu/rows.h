#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/simd/tiled.h"

namespace siamese {

/// Contiguous rows [rows, width] into a padded buffer.
template <class T>
void copy_in(const T* from, std::int64_t rows, std::int64_t width, TileView<T> to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(from + row * width, width, to.data + row * to.stride);
  }
}

/// The inverse.
template <class T>
void copy_out(TileView<const T> from, std::int64_t rows, std::int64_t width, T* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    std::copy_n(from.data + row * from.stride, width, to + row * width);
  }
}

}  // namespace siamese
