#pragma once

#include <cstdint>

namespace siamese {

/// A matrix product C [rows, columns] = A [rows, depth] B [depth, columns], all row-major without
/// gaps; an operand that is transposed lies in memory as its transpose. What C held is not read.
template <class T>
struct Gemm {
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;
  const T* a;
  bool a_transposed;
  const T* b;
  bool b_transposed;
  T* c;
};

/// A library that computes it.
template <class T>
using GemmFunction = void (*)(const Gemm<T>&);

}  // namespace siamese
