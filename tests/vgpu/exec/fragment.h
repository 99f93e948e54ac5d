#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/exec/warp.h"

// Fragments: the parts of a small matrix that the lanes of a warp hold in registers, as mma and
// wgmma have them.
//
// An operand A [rows, k] or B [k, 8] is cut into blocks of 8 x 4E, where E elements fill a
// register: rows of A by k, columns of B by k. One register of all lanes is one block in row-major
// order, so lane l has elements (l % 4) * E and up of the block's row l / 4. A's blocks follow each
// other down the rows first, B's along k. Accumulators [rows, 8] come in blocks of 8 x 8, row-major
// with two elements a lane.
namespace vgpu {

inline constexpr int kFragmentColumns = 8;

// ---- elements: registers to values in which sums are made ----

// Exact, and a loop that the compiler turns into vectors, which the general conversion is not.
inline float widen_f16(std::uint16_t half) {
  const std::uint32_t bits = half;
  // The exponent's bias differs by 112; a multiplication moves it and makes denormals normal.
  const float scaled = std::bit_cast<float>((bits & 0x7fff) << 13) * 0x1p112f;
  const std::uint32_t infinite = (bits & 0x7c00) == 0x7c00 ? 0x7f800000 : 0;
  const std::uint32_t sign = (bits & 0x8000) << 16;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(scaled) | infinite | sign);
}

inline float widen_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

// tf32 is a float of which the low 13 bits are not looked at.
inline float widen_tf32(std::uint32_t bits) { return std::bit_cast<float>(bits & 0xffffe000); }

// The nearest f16, ties to even; likewise a loop without branches. A NaN becomes the canonical one.
inline std::uint16_t narrow_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = bits & 0x7fffffff;
  // Of numbers that stay normal: the exponent's bias moves, and half a unit rounds.
  const std::uint32_t normal = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
  // Of the others: adding 1/2 leaves units of 2^-24 in the last bits.
  const std::uint32_t denormal =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000;
  const std::uint32_t finite = magnitude < 0x38800000 ? denormal : normal;
  const std::uint32_t limited = magnitude >= 0x477ff000 ? 0x7c00 : finite;
  const std::uint32_t sign = (bits >> 16) & 0x8000;
  return static_cast<std::uint16_t>(magnitude > 0x7f800000 ? 0x7fff : limited | sign);
}

struct F16Element {
  using Stored = std::uint16_t;
  using Value = float;
  static constexpr int kPerRegister = 2;
  static Value widen(Stored bits) { return widen_f16(bits); }
};
struct Bf16Element {
  using Stored = std::uint16_t;
  using Value = float;
  static constexpr int kPerRegister = 2;
  static Value widen(Stored bits) { return widen_bf16(bits); }
};
struct Tf32Element {
  using Stored = std::uint32_t;
  using Value = float;
  static constexpr int kPerRegister = 1;
  static Value widen(Stored bits) { return widen_tf32(bits); }
};
struct F64Element {
  using Stored = double;
  using Value = double;
  static constexpr int kPerRegister = 1;
  static Value widen(Stored value) { return value; }
};
struct S8Element {
  using Stored = std::int8_t;
  using Value = std::int32_t;
  static constexpr int kPerRegister = 4;
  static Value widen(Stored value) { return value; }
};
struct U8Element {
  using Stored = std::uint8_t;
  using Value = std::int32_t;
  static constexpr int kPerRegister = 4;
  static Value widen(Stored value) { return value; }
};

// ---- operands ----

// The elements of one register of all lanes: a block of 8 rows, [8, 4 E].
template <class Element>
struct FragmentBlock {
  static constexpr int kDepth = 4 * Element::kPerRegister;
  typename Element::Value values[8 * kDepth];

  FragmentBlock(Warp& w, std::uint32_t offset) {
    const auto* stored = row<typename Element::Stored>(w, offset);
    for (int i = 0; i < 8 * kDepth; ++i) values[i] = Element::widen(stored[i]);
  }
};

// A [kRows, kDepth] from its registers' rows.
template <class Element, int kRows, int kDepth>
void unpack_a(Warp& w, const std::uint32_t* rows, typename Element::Value (&a)[kRows][kDepth]) {
  constexpr int kBlockDepth = FragmentBlock<Element>::kDepth;
  for (int depth = 0; depth < kDepth; depth += kBlockDepth) {
    for (int first = 0; first < kRows; first += 8) {
      const FragmentBlock<Element> block(w, *rows++);
      for (int i = 0; i < 8; ++i) {
        std::memcpy(&a[first + i][depth], &block.values[i * kBlockDepth],
                    kBlockDepth * sizeof(block.values[0]));
      }
    }
  }
}

// B [kDepth, 8] from its registers' rows, which hold its transpose.
template <class Element, int kDepth>
void unpack_b(Warp& w, const std::uint32_t* rows,
              typename Element::Value (&b)[kDepth][kFragmentColumns]) {
  constexpr int kBlockDepth = FragmentBlock<Element>::kDepth;
  for (int depth = 0; depth < kDepth; depth += kBlockDepth) {
    const FragmentBlock<Element> block(w, *rows++);
    for (int k = 0; k < kBlockDepth; ++k) {
      for (int j = 0; j < kFragmentColumns; ++j) {
        b[depth + k][j] = block.values[j * kBlockDepth + k];
      }
    }
  }
}

// sums [kRows, 8] += A B. For each element k goes up, and each step is one fused multiply-add: the
// product is not rounded, the sum is once, to nearest even. Hardware sums several products at
// once and in another order, so the last bits differ.
template <class Value, int kRows, int kDepth>
void multiply_add(const Value (&a)[kRows][kDepth], const Value (&b)[kDepth][kFragmentColumns],
                  Value (&sums)[kRows][kFragmentColumns]) {
  // A row of eight values as one vector; separate copies of rows keep the sums in registers.
  typedef Value Row __attribute__((vector_size(kFragmentColumns * sizeof(Value))));
  constexpr int kTogether = 8;
  for (int first = 0; first < kRows; first += kTogether) {
    Row part[kTogether];
#pragma GCC unroll 8
    for (int i = 0; i < kTogether; ++i) std::memcpy(&part[i], sums[first + i], sizeof(Row));
    for (int k = 0; k < kDepth; ++k) {
      Row b_row;
      std::memcpy(&b_row, b[k], sizeof b_row);
#pragma GCC unroll 8
      for (int i = 0; i < kTogether; ++i) {
        const Value v = a[first + i][k];
        if constexpr (std::numeric_limits<Value>::is_integer) {
          part[i] += v * b_row;
        } else {
          part[i] = Row{std::fma(v, b_row[0], part[i][0]), std::fma(v, b_row[1], part[i][1]),
                        std::fma(v, b_row[2], part[i][2]), std::fma(v, b_row[3], part[i][3]),
                        std::fma(v, b_row[4], part[i][4]), std::fma(v, b_row[5], part[i][5]),
                        std::fma(v, b_row[6], part[i][6]), std::fma(v, b_row[7], part[i][7])};
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kTogether; ++i) std::memcpy(sums[first + i], &part[i], sizeof(Row));
  }
}

// ---- accumulators ----

// The NaN that matrix instructions give.
inline float canonical(float v) {
  return v == v ? v : std::bit_cast<float>(std::uint32_t{0x7fffffff});
}
inline double canonical(double v) {
  return v == v ? v : std::bit_cast<double>(std::uint64_t{0x7fff'ffff'ffff'ffff});
}
inline std::int32_t canonical(std::int32_t v) { return v; }

// sums [kRows, 8] from and to registers of one value a lane.
template <class Value, int kRows>
void unpack_sums(Warp& w, const std::uint32_t* rows, Value (&sums)[kRows][kFragmentColumns]) {
  for (int first = 0; first < kRows; first += 8, rows += 2) {
    const Value* even = row<Value>(w, rows[0]);
    const Value* odd = row<Value>(w, rows[1]);
    Value* to = sums[first];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      to[2 * lane] = even[lane];
      to[2 * lane + 1] = odd[lane];
    }
  }
}

template <class Value, int kRows>
void pack_sums(Warp& w, const std::uint32_t* rows, const Value (&sums)[kRows][kFragmentColumns]) {
  for (int first = 0; first < kRows; first += 8, rows += 2) {
    Value* even = row<Value>(w, rows[0]);
    Value* odd = row<Value>(w, rows[1]);
    const Value* from = sums[first];
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      even[lane] = canonical(from[2 * lane]);
      odd[lane] = canonical(from[2 * lane + 1]);
    }
  }
}

// The same for f16 accumulators, two values a register. They are widened, summed in float32 and
// rounded once at the end.
template <int kRows>
void unpack_half_sums(Warp& w, const std::uint32_t* rows, float (&sums)[kRows][kFragmentColumns]) {
  for (int first = 0; first < kRows; first += 8, ++rows) {
    const auto* from = row<std::uint16_t>(w, *rows);
    float* to = sums[first];
    for (std::uint32_t i = 0; i < 2 * kLanes; ++i) to[i] = widen_f16(from[i]);
  }
}

template <int kRows>
void pack_half_sums(Warp& w, const std::uint32_t* rows,
                    const float (&sums)[kRows][kFragmentColumns]) {
  for (int first = 0; first < kRows; first += 8, ++rows) {
    auto* to = row<std::uint16_t>(w, *rows);
    const float* from = sums[first];
    for (std::uint32_t i = 0; i < 2 * kLanes; ++i) to[i] = narrow_f16(from[i]);
  }
}

// ---- the lanes of a .sync.aligned instruction ----

// Lets the warp go on when all its lanes are at the instruction, and parks it when some that live
// are elsewhere. Faults when the warp has fewer than 32 lanes: what is computed then is undefined.
[[nodiscard]] bool whole_warp(Warp& w, LaneMask mask);

}  // namespace vgpu
