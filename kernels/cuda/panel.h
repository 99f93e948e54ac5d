#pragma once

#include <cstdint>

#include "kernels/multiples.h"

namespace siamese::cuda {

/// Elements that load and store as one 16-byte pack (pack.cuh).
template <class T>
inline constexpr int pack_elements = 16 / static_cast<int>(sizeof(T));

/// Rows of a panel are padded to whole tiles of the products in panel.cuh.
inline constexpr int panel_row_tile = 4;

/// A row-major matrix in shared or in global memory, whose rows begin `stride` apart.
template <class T>
struct Panel {
  T* data;
  int stride;
};

/// The stride of a panel with so many columns: whole packs, and an odd number of them, so that
/// packs of neighbouring rows lie in different banks of shared memory.
template <class T>
constexpr std::int64_t panel_stride(std::int64_t columns) {
  return (ceil_div(columns, pack_elements<T>) | 1) * pack_elements<T>;
}

/// Bytes of a panel, with its padding.
template <class T>
constexpr std::int64_t panel_bytes(std::int64_t rows, std::int64_t columns) {
  return round_up(rows, panel_row_tile) * panel_stride<T>(columns) *
         static_cast<std::int64_t>(sizeof(T));
}

}  // namespace siamese::cuda
