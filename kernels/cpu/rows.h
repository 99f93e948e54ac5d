#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "kernels/cpu/simd/tiled.h"

namespace siamese {

/// Narrow rows in pieces of 16 bytes, of which the last two may overlap: a call of memcpy takes
/// longer than such a row.
template <class T>
inline void copy_row(const T* from, std::int64_t width, T* to) {
  constexpr std::int64_t piece = 16 / static_cast<std::int64_t>(sizeof(T));
  constexpr std::int64_t narrow = 8 * piece;
  if (width < piece || width > narrow) {
    std::copy_n(from, width, to);
    return;
  }
  const auto copy = [&](std::int64_t k) { std::memcpy(to + k, from + k, piece * sizeof(T)); };
  for (std::int64_t k = 0; k + piece <= width; k += piece) copy(k);
  copy(width - piece);
}

/// Contiguous rows [rows, width] into a padded buffer.
template <class T>
void copy_in(const T* from, std::int64_t rows, std::int64_t width, TileView<T> to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    copy_row(from + row * width, width, to.data + row * to.stride);
  }
}

/// The inverse.
template <class T>
void copy_out(TileView<const T> from, std::int64_t rows, std::int64_t width, T* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    copy_row(from.data + row * from.stride, width, to + row * width);
  }
}

}  // namespace siamese
