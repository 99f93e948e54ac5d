#pragma once

#include <cstdint>

#include "kernels/cuda/index.cuh"

// The tensor-core instructions of a warpgroup, four warps that begin at a multiple of four. Of
// compute capability 9.0 alone: kernels that use them have their body in
// `#ifdef __CUDA_ARCH_FEAT_SM90_ALL`.
//
// wgmma makes C [64, n] += A [64, 16] B [16, n] in bf16 with float32 sums. Warp w of the four has
// rows 16 w .. 16 w + 15 of C: its registers are those of n / 8 neighbouring C of mma.cuh. B, and A
// too unless it comes in registers (as an A of mma.cuh per warp), are read from shared memory, by
// the asynchronous proxy: what threads stored there it sees after fence_stores, and the sums are
// not there before finish.

namespace siamese::cuda::wgmma {

inline constexpr int group_warps = 4;
inline constexpr int group_threads = group_warps * warp_size;
inline constexpr int rows = 64;   ///< of A and C
inline constexpr int depth = 16;  ///< of a step along k

/// Sums [64, 8 blocks]: lane by lane a C [16, 8] of mma.cuh for each block of columns.
template <int blocks>
using Sums = float[blocks][4];

/// A [64, 16 steps] in registers: lane by lane an A of mma.cuh for each step along k.
template <int steps>
using Rows = std::uint32_t[steps][4];

/// The thread's warpgroup in the block, as a value that the compiler knows to be a warp's.
__device__ inline int group_of_thread() {
  return __shfl_sync(full_warp, static_cast<int>(threadIdx.x) / group_threads, 0);
}

/// A matrix of bf16 in shared memory as wgmma reads it: in blocks of 8 x 8, each 128 bytes, row by
/// row; blocks follow one another down the rows, then to the right. A C [16, 8] of a warp is two
/// blocks of which each lane has 4 bytes, in the order of lanes: it is stored without conflicts.
struct Blocks {
  std::uint32_t* pairs;  ///< of neighbours in a row
  int rows;              ///< a multiple of 8

  /// The pair that the lane has of the block at `row` and `column`, multiples of 8.
  __device__ std::uint32_t& own_pair(int row, int column) const {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    return pairs[(column / 8 * (rows / 8) + row / 8) * warp_size + lane];
  }
};

/// A or B in shared memory, k running along the columns of its blocks, or `turned` along the rows:
/// the same matrix serves as itself and as its transpose.
template <bool turned>
struct Operand {
  std::uint64_t descriptor;
  std::uint64_t step;  ///< to the next 16 of k

  /// From an element of the matrix on, whose row and column are multiples of 8.
  __device__ Operand(const Blocks& matrix, int row, int column) {
    // All in units of 16 bytes: the address, the way to the next block along k and across it.
    const int block = column / 8 * (matrix.rows / 8) + row / 8;
    const auto start = static_cast<std::uint32_t>(__cvta_generic_to_shared(matrix.pairs)) / 16;
    const auto right = static_cast<std::uint64_t>(matrix.rows);
    constexpr std::uint64_t down = 8;
    const std::uint64_t along = turned ? down : right;
    const std::uint64_t across = turned ? right : down;
    descriptor = (start + block * down) | along << 16 | across << 32;
    step = 2 * along;
  }
};

/// Makes stores of this thread to shared memory visible to the asynchronous proxy.
__device__ inline void fence_stores() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

/// Waits for the threads of a warpgroup of the block, after which all that they stored is there for
/// each other and for wgmma.
__device__ inline void meet(int group) {
  fence_stores();
  asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "n"(group_threads) : "memory");
}

/// Keeps the compiler from moving what it does with registers of products past this place.
template <int blocks>
__device__ void pin(Sums<blocks>& sums) {
#pragma unroll
  for (int t = 0; t < blocks; ++t) {
#pragma unroll
    for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(sums[t][i])::"memory");
  }
}
template <int steps>
__device__ void pin(Rows<steps>& a) {
#pragma unroll
  for (int s = 0; s < steps; ++s) {
#pragma unroll
    for (int i = 0; i < 4; ++i) asm volatile("" : "+r"(a[s][i])::"memory");
  }
}
template <int count, int blocks>
__device__ void pin(float (&sums)[count][blocks][4]) {
#pragma unroll
  for (int c = 0; c < count; ++c) pin<blocks>(sums[c]);
}

/// Comes before the first of some products, of which these are all sums, and A where it is in
/// registers.
template <class... Registers>
__device__ void begin(Registers&... registers) {
  (pin(registers), ...);
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

/// Waits for the products since begin, with the same registers.
template <class... Registers>
__device__ void finish(Registers&... registers) {
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  (pin(registers), ...);
}

/// Registers of each thread, which a warpgroup leaves to the others of its block or has of them.
template <int registers>
__device__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers>
__device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}

template <bool a_turned, bool b_turned>
__device__ void multiply_add(std::uint64_t a, std::uint64_t b, Sums<2>& c) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7}, %8, "
      "%9, 1, 1, 1, %10, %11;"
      : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
        "+f"(c[1][2]), "+f"(c[1][3])
      : "l"(a), "l"(b), "n"(a_turned), "n"(b_turned));
}

template <bool a_turned, bool b_turned>
__device__ void multiply_add(std::uint64_t a, std::uint64_t b, Sums<8>& c) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
      "%27, %28, %29, %30, %31}, %32, %33, 1, 1, 1, %34, %35;"
      : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
        "+f"(c[1][2]), "+f"(c[1][3]), "+f"(c[2][0]), "+f"(c[2][1]), "+f"(c[2][2]), "+f"(c[2][3]),
        "+f"(c[3][0]), "+f"(c[3][1]), "+f"(c[3][2]), "+f"(c[3][3]), "+f"(c[4][0]), "+f"(c[4][1]),
        "+f"(c[4][2]), "+f"(c[4][3]), "+f"(c[5][0]), "+f"(c[5][1]), "+f"(c[5][2]), "+f"(c[5][3]),
        "+f"(c[6][0]), "+f"(c[6][1]), "+f"(c[6][2]), "+f"(c[6][3]), "+f"(c[7][0]), "+f"(c[7][1]),
        "+f"(c[7][2]), "+f"(c[7][3])
      : "l"(a), "l"(b), "n"(a_turned), "n"(b_turned));
}

/// The same with A in registers.
template <bool b_turned>
__device__ void multiply_add(const std::uint32_t (&a)[4], std::uint64_t b, Sums<8>& c) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
      "%27, %28, %29, %30, %31}, {%32, %33, %34, %35}, %36, 1, 1, 1, %37;"
      : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
        "+f"(c[1][2]), "+f"(c[1][3]), "+f"(c[2][0]), "+f"(c[2][1]), "+f"(c[2][2]), "+f"(c[2][3]),
        "+f"(c[3][0]), "+f"(c[3][1]), "+f"(c[3][2]), "+f"(c[3][3]), "+f"(c[4][0]), "+f"(c[4][1]),
        "+f"(c[4][2]), "+f"(c[4][3]), "+f"(c[5][0]), "+f"(c[5][1]), "+f"(c[5][2]), "+f"(c[5][3]),
        "+f"(c[6][0]), "+f"(c[6][1]), "+f"(c[6][2]), "+f"(c[6][3]), "+f"(c[7][0]), "+f"(c[7][1]),
        "+f"(c[7][2]), "+f"(c[7][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(b_turned));
}

template <bool b_turned>
__device__ void multiply_add(const std::uint32_t (&a)[4], std::uint64_t b, Sums<13>& c) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n104k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
      "%27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, "
      "%45, %46, %47, %48, %49, %50, %51}, {%52, %53, %54, %55}, %56, 1, 1, 1, %57;"
      : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
        "+f"(c[1][2]), "+f"(c[1][3]), "+f"(c[2][0]), "+f"(c[2][1]), "+f"(c[2][2]), "+f"(c[2][3]),
        "+f"(c[3][0]), "+f"(c[3][1]), "+f"(c[3][2]), "+f"(c[3][3]), "+f"(c[4][0]), "+f"(c[4][1]),
        "+f"(c[4][2]), "+f"(c[4][3]), "+f"(c[5][0]), "+f"(c[5][1]), "+f"(c[5][2]), "+f"(c[5][3]),
        "+f"(c[6][0]), "+f"(c[6][1]), "+f"(c[6][2]), "+f"(c[6][3]), "+f"(c[7][0]), "+f"(c[7][1]),
        "+f"(c[7][2]), "+f"(c[7][3]), "+f"(c[8][0]), "+f"(c[8][1]), "+f"(c[8][2]), "+f"(c[8][3]),
        "+f"(c[9][0]), "+f"(c[9][1]), "+f"(c[9][2]), "+f"(c[9][3]), "+f"(c[10][0]), "+f"(c[10][1]),
        "+f"(c[10][2]), "+f"(c[10][3]), "+f"(c[11][0]), "+f"(c[11][1]), "+f"(c[11][2]),
        "+f"(c[11][3]), "+f"(c[12][0]), "+f"(c[12][1]), "+f"(c[12][2]), "+f"(c[12][3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "n"(b_turned));
}

/// c += A B over so many steps of 16 along k.
template <int blocks, bool a_turned, bool b_turned>
__device__ void multiply(Operand<a_turned> a, Operand<b_turned> b, int steps, Sums<blocks>& c) {
  begin(c);
  for (int s = 0; s < steps; ++s) {
    multiply_add<a_turned, b_turned>(a.descriptor, b.descriptor, c);
    a.descriptor += a.step;
    b.descriptor += b.step;
  }
  finish(c);
}

/// use(column, sums) for the columns of C = A B, 64 at a time and what is left by 16. B [depth,
/// columns] lies as it is in its blocks or, as_is false, as its transpose.
template <bool as_is, class Use>
__device__ void multiply_all(const Operand<false>& a, const Blocks& b, int steps, int columns,
                             Use use) {
  int column = 0;
  for (; column + 64 <= columns; column += 64) {
    Sums<8> sums = {};
    multiply(a, Operand<as_is>(b, as_is ? 0 : column, as_is ? column : 0), steps, sums);
    use(column, sums);
  }
  for (; column < columns; column += 16) {
    Sums<2> sums = {};
    multiply(a, Operand<as_is>(b, as_is ? 0 : column, as_is ? column : 0), steps, sums);
    use(column, sums);
  }
}

}  // namespace siamese::cuda::wgmma
