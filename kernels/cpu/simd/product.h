#pragma once

#include <cstdint>

#include "kernels/cpu/simd/vector.h"

// The one micro-kernel behind every matrix product: a block of C [block_rows, vectors x lanes]
// stays in registers while rows of B are multiplied with broadcast elements of A and added to it. A
// has any strides, so that h, dz and the transpose of h serve as they lie in memory; B is read in
// rows.

namespace siamese {
namespace {

// As many accumulators as leave registers for a row of B and an element of A: 24 of 32 registers,
// 12 of 16; without FMA the product needs one more.
#if defined(__AVX512F__) || defined(__ARM_NEON)
constexpr int block_rows = 8;
constexpr int block_vectors = 3;
#elif defined(__AVX2__)
constexpr int block_rows = 4;
constexpr int block_vectors = 3;
#else
constexpr int block_rows = 4;
constexpr int block_vectors = 2;
#endif

/// A: element (row, k) is data[row * row_stride + k * depth_stride].
template <class T>
struct Strided {
  const T* data;
  std::int64_t row_stride;
  std::int64_t depth_stride;
};

/// Rows of B for a panel of columns.
template <class T>
struct Panel {
  const T* data;
  std::int64_t stride;
};

/// B stored row after row.
template <class T>
struct Rows {
  const T* data;
  std::int64_t stride;
  Panel<T> panel(std::int64_t column, std::int64_t /*width*/) const {
    return {data + column, stride};
  }
};

/// B [depth, columns] stored panel after panel, each [depth, width of the panel]: a panel is
/// contiguous, whatever the number of columns.
template <class T>
struct Packed {
  const T* data;
  std::int64_t depth;
  Panel<T> panel(std::int64_t column, std::int64_t width) const {
    return {data + column * depth, width};
  }
};

/// Vectors in the next panel where `left` vectors of columns are left; 4 are 2 and 2, not 3 and 1.
constexpr int panel_vectors(std::int64_t left) {
  if (left == block_vectors + 1) return (block_vectors + 1) / 2;
  return left < block_vectors ? static_cast<int>(left) : block_vectors;
}

template <class T, int vectors>
struct Block {
  Vector<T> at[block_rows][vectors];
};

/// Adds the product of A [block_rows, depth] and B [depth, vectors] to c.
template <class T, int vectors>
inline void multiply_add(Block<T, vectors>& c, std::int64_t depth, Strided<T> a, Panel<T> b) {
  for (std::int64_t k = 0; k < depth; ++k) {
    Vector<T> b_row[vectors];
    repeat<vectors>([&](auto v) { b_row[v] = load(b.data + k * b.stride + v * lanes<T>); });
    repeat<block_rows>([&](auto r) {
      const Vector<T> a_element = broadcast(a.data[r * a.row_stride + k * a.depth_stride]);
      repeat<vectors>([&](auto v) { c.at[r][v] += a_element * b_row[v]; });
    });
  }
}

/// One panel of columns. Flattened: the accumulators stay in registers only where every function
/// that sees them is inlined before the compiler breaks arrays up.
template <int vectors, class T, class Begin, class End>
[[gnu::flatten]] inline void panel_product(std::int64_t rows, std::int64_t column,
                                           std::int64_t depth, Strided<T> a, Panel<T> b,
                                           const Begin& begin, const End& end) {
  for (std::int64_t row = 0; row < rows; row += block_rows) {
    Block<T, vectors> c;
    repeat<block_rows>([&](auto r) {
      repeat<vectors>([&](auto v) { c.at[r][v] = begin(row + r, column + v * lanes<T>); });
    });
    multiply_add(c, depth, {a.data + row * a.row_stride, a.row_stride, a.depth_stride}, b);
    repeat<block_rows>([&](auto r) {
      repeat<vectors>([&](auto v) { end(row + r, column + v * lanes<T>, c.at[r][v]); });
    });
  }
}

/// For every vector of C [rows, columns], both rounded up to whole blocks and vectors:
/// end(row, column, begin(row, column) + the product of A [rows, depth] and B [depth, columns]).
template <class T, class B, class Begin, class End>
inline void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, Strided<T> a,
                    const B& b, const Begin& begin, const End& end) {
  const std::int64_t all_vectors = (columns + lanes<T> - 1) / lanes<T>;
  for (std::int64_t done = 0; done < all_vectors;) {
    const int vectors = panel_vectors(all_vectors - done);
    const std::int64_t column = done * lanes<T>;
    const Panel<T> panel = b.panel(column, vectors * lanes<T>);
    repeat<block_vectors>([&](auto v) {
      constexpr int width = v + 1;
      if (vectors == width) panel_product<width>(rows, column, depth, a, panel, begin, end);
    });
    done += vectors;
  }
}

}  // namespace
}  // namespace siamese
