#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>

#include "kernels/variant.h"

// The tensor-core instructions of one warp, mma.sync and ldmatrix, which need sm_80.
//
// A 16 x depth operand A is 4 registers a lane, a depth x 8 operand B 2, C [16, 8] 4 floats, with
// depth 16 in bf16 and 8 in tf32. Each register is a matrix of 8 rows by 16 bytes along k: lane l
// has the 4 bytes l % 4 of row l / 4. A's registers are rows 0-7 and 8-15 of the first half of k,
// then of the second; B's are the halves of k. C's are columns 2 (l % 4) and the next of row l / 4,
// then of row l / 4 + 8.

namespace siamese::cuda::mma {

template <Precision precision>
inline constexpr int multiply_depth = precision == Precision::bf16 ? 16 : 8;

/// Two floats rounded to bf16, the first in the low half.
__device__ inline std::uint32_t bf16_pair(float first, float second) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(first, second);
  std::uint32_t bits;
  std::memcpy(&bits, &pair, sizeof bits);
  return bits;
}

/// And back, the low half first.
__device__ inline float2 float_pair(std::uint32_t bits) {
  __nv_bfloat162 pair;
  std::memcpy(&pair, &bits, sizeof bits);
  return __bfloat1622float2(pair);
}

/// Rounded to TF32, to nearest, ties away.
__device__ inline std::uint32_t round_tf32(float value) {
  std::uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

/// ldmatrix: `count` matrices of 8 rows of 16 bytes in shared memory, lane l giving the address of
/// row l % 8 of matrix l / 8. `turned` reads 16-bit elements of k-major matrices as row-major ones.
template <bool turned>
__device__ inline void load_matrices(std::uint32_t row, std::uint32_t (&to)[4]) {
  if constexpr (turned) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(row)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(row)
                 : "memory");
  }
}
template <bool turned>
__device__ inline void load_matrices(std::uint32_t row, std::uint32_t (&to)[2]) {
  if constexpr (turned) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(row)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(to[0]), "=r"(to[1])
                 : "r"(row)
                 : "memory");
  }
}
template <bool turned, int count>
__device__ void load_matrices(const void* row, std::uint32_t (&to)[count]) {
  load_matrices<turned>(static_cast<std::uint32_t>(__cvta_generic_to_shared(row)), to);
}

__device__ inline void multiply_add_bf16(const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                                         float (&c)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ inline void multiply_add_tf32(const std::uint32_t (&a)[4], const std::uint32_t (&b)[2],
                                         float (&c)[4]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

/// An operand's `count` registers, from what lies in shared memory: pairs of bf16, or float32 to be
/// rounded. tf32x3 keeps what rounding drops as a second TF32 number, so that the two have 21 bits.
template <Precision precision, int count>
struct Fragment {
  std::uint32_t rounded[count];
  std::uint32_t rest[precision == Precision::tf32x3 ? count : 1];

  Fragment() = default;
  __device__ explicit Fragment(const std::uint32_t (&read)[count]) {
#pragma unroll
    for (int i = 0; i < count; ++i) {
      if constexpr (precision == Precision::bf16) {
        rounded[i] = read[i];
      } else {
        const float value = __uint_as_float(read[i]);
        rounded[i] = round_tf32(value);
        if constexpr (precision == Precision::tf32x3) {
          rest[i] = round_tf32(value - __uint_as_float(rounded[i]));
        }
      }
    }
  }
};

/// c += a b. tf32x3 adds the small products first; that of both rests is below its precision.
template <Precision precision>
__device__ void multiply_add(const Fragment<precision, 4>& a, const Fragment<precision, 2>& b,
                             float (&c)[4]) {
  if constexpr (precision == Precision::bf16) {
    multiply_add_bf16(a.rounded, b.rounded, c);
  } else {
    if constexpr (precision == Precision::tf32x3) {
      multiply_add_tf32(a.rest, b.rounded, c);
      multiply_add_tf32(a.rounded, b.rest, c);
    }
    multiply_add_tf32(a.rounded, b.rounded, c);
  }
}

}  // namespace siamese::cuda::mma
