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

/// Where the last columns fit into half a vector they are computed in one: half of the work on a
/// processor whose widest vectors are two passes of half the width, and no more on any other.
constexpr bool has_half_vectors = vector_bytes > 16;

/// Columns in the next panel where `left` are left: whole vectors, block_vectors of them or fewer,
/// or half a vector. Vectors for one panel and one more are split evenly.
template <class T>
constexpr std::int64_t panel_width(std::int64_t left) {
  const std::int64_t rest = left % lanes<T>;
  const bool ends_in_half = has_half_vectors && rest > 0 && rest <= lanes<T> / 2;
  const std::int64_t whole = left / lanes<T> + (rest > 0 && !ends_in_half ? 1 : 0);
  if (whole == 0) return lanes<T> / 2;
  if (whole == block_vectors + 1) return (block_vectors + 1) / 2 * lanes<T>;
  return (whole < block_vectors ? whole : block_vectors) * lanes<T>;
}

/// Calls use(column, width) for the panels of a matrix with so many columns, from left to right.
template <class T, class Use>
inline void for_panels(std::int64_t columns, const Use& use) {
  for (std::int64_t column = 0; column < columns;) {
    const std::int64_t width = panel_width<T>(columns - column);
    use(column, width);
    column += width;
  }
}

/// Rows begin_row .. end_row - 1 of one panel of columns, C [block, vectors of V] after C.
/// Flattened and a function of its own: the accumulators stay in registers only where every
/// function that sees them is inlined before the compiler breaks arrays up. `begin` and `end` come
/// by value and hold values: a store of floats might otherwise have changed what they refer to, and
/// they would be read again after each.
template <class V, int block, int vectors, class T, class Begin, class End>
[[gnu::flatten, gnu::noinline]] void block_products(std::int64_t begin_row, std::int64_t end_row,
                                                    std::int64_t column, std::int64_t depth,
                                                    Strided<T> a, Panel<T> b, Begin begin,
                                                    End end) {
  constexpr int width = sizeof(V) / sizeof(T);
  for (std::int64_t row = begin_row; row < end_row; row += block) {
    V c[block][vectors];
    repeat<block>([&](auto r) {
      repeat<vectors>(
          [&](auto v) { c[r][v] = begin.template operator()<V>(row + r, column + v * width); });
    });
    const T* const a_rows = a.data + row * a.row_stride;
    for (std::int64_t k = 0; k < depth; ++k) {
      V b_row[vectors];
      repeat<vectors>([&](auto v) { b_row[v] = load<T, V>(b.data + k * b.stride + v * width); });
      repeat<block>([&](auto r) {
        const V a_element = broadcast<T, V>(a_rows[r * a.row_stride + k * a.depth_stride]);
        repeat<vectors>([&](auto v) { c[r][v] += a_element * b_row[v]; });
      });
    }
    repeat<block>([&](auto r) {
      repeat<vectors>([&](auto v) { end(row + r, column + v * width, c[r][v]); });
    });
  }
}

/// One panel of columns. Where the last rows fit into half a block they are computed in one: of 11
/// rows a quarter of the work.
template <class V, int vectors, class T, class Begin, class End>
inline void panel_product(std::int64_t rows, std::int64_t column, std::int64_t depth, Strided<T> a,
                          Panel<T> b, Begin begin, End end) {
  constexpr int half = block_rows / 2;
  const std::int64_t rest = rows % block_rows;
  const std::int64_t whole = rest > 0 && rest <= half ? rows - rest : rows;
  block_products<V, block_rows, vectors>(0, whole, column, depth, a, b, begin, end);
  block_products<V, half, vectors>(whole, rows, column, depth, a, b, begin, end);
}

/// For every vector V of C [rows, columns], both rounded up to whole blocks and panels:
/// end(row, column, begin<V>(row, column) + the product of A [rows, depth] and B [depth, columns]).
template <class T, class B, class Begin, class End>
inline void product(std::int64_t rows, std::int64_t columns, std::int64_t depth, Strided<T> a,
                    const B& b, Begin begin, End end) {
  for_panels<T>(columns, [&](std::int64_t column, std::int64_t width) {
    const Panel<T> panel = b.panel(column, width);
    if constexpr (has_half_vectors) {
      if (width < lanes<T>) {
        panel_product<HalfVector<T>, 1>(rows, column, depth, a, panel, begin, end);
      }
    }
    repeat<block_vectors>([&](auto v) {
      constexpr int vectors = v + 1;
      if (width == vectors * lanes<T>) {
        panel_product<Vector<T>, vectors>(rows, column, depth, a, panel, begin, end);
      }
    });
  });
}

}  // namespace
}  // namespace siamese
