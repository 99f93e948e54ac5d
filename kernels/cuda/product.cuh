#pragma once

#include <cstdint>

#include "kernels/cuda/pack.cuh"

// What the rungs that cut products into tiles share: C [rows, columns] = sum over k of
// A(row, k) B(column, k), all float32 in memory.
//
// What is done with a sum before it is stored is the business of an epilogue, a class with
//   read(row, column)          what it takes from memory besides the sum
//   with_combine(function)     calls function(combine) once, where combine(sum, read) is C's
//                              element: a choice between functions is made once for many elements

namespace siamese::cuda {

/// How an operand lies in memory: its rows (rows of C for A, columns of C for B) against k.
enum class Lies {
  along_k,    ///< element (row, k) at data[row * stride + k]
  along_rows  ///< element (row, k) at data[k * stride + row]
};

struct Operand {
  const float* data;
  std::int64_t rows;
  std::int64_t stride;
  bool packs;  ///< 16 bytes of neighbours can be loaded at once: data and stride are aligned
  /// Row number `rows` exists too and is all ones: with it, a product with the gradient of z gives
  /// the bias's gradient as its last row, where the flat layout of the parameters has it.
  bool row_of_ones = false;
};

inline Operand operand(const float* data, std::int64_t rows, std::int64_t stride) {
  return {data, rows, stride, holds_packs(data) && stride % Pack<float>::size == 0};
}

struct Product {
  Operand a;
  Operand b;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t depth;
  float* c;  ///< [parts, rows, columns]: what the epilogue makes of the sums over each part of the
             ///< depth
};

}  // namespace siamese::cuda
