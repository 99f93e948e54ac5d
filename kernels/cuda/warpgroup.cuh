#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/index.cuh"

// Products of a warpgroup, four warps that begin at a multiple of four: C [64, n] += A [64, 16]
// B [16, n] in bf16 with float32 sums. Warp w of the four has rows 16 w .. 16 w + 15 of C: its
// registers are those of n / 8 neighbouring C of mma.cuh. B, and A too unless it comes in registers
// (as an A of mma.cuh per warp), are read from shared memory.
//
// What multiplies is a Multiplier, Wgmma (wgmma.cuh) or WgmmaTwin (wgmma_twin.cuh), with
//   name                          of its variants
//   available                     whether the device code being compiled has it
//   asynchronous                  whether products go on while the threads do something else
//   Operand<turned>               a Place as it takes it, with step() to the next 16 of k
//   fence_stores()                makes what the thread stored to shared memory visible to products
//   meet(group)                   waits for the group's threads, after which all that they stored
//                                 is there for each other and for products
//   begin(sums .., a ..)          comes before the first of some products, of which these are all
//                                 sums, and A where it is in registers
//   multiply_add(a, b, sums)      adds A B to Sums of 2, 8 or 13 blocks; 2 take no A in registers
//   finish(sums .., a ..)         waits for the products since begin, with the same registers
//   commit(), wait<n>(sums ..)    the same in steps: the products so far are a group; wait for all
//                                 groups but the last n, which leaves these sums
//   give_registers<n>(), take_registers<n>()
//                                 of each thread, which a group leaves to the others of its block
//                                 or has of them
//   depth_at_once                 how far along k an A is best made in registers before it is
//                                 multiplied

namespace siamese::cuda::warpgroup {

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

/// Waits for the threads of a warpgroup of the block.
__device__ inline void wait_for_group(int group) {
  asm volatile("bar.sync %0, %1;" ::"r"(group + 1), "n"(group_threads) : "memory");
}

/// A matrix of bf16 in shared memory as products read it: in blocks of 8 x 8, each 128 bytes, row
/// by row; blocks follow one another down the rows, then to the right. A C [16, 8] of a warp is two
/// blocks of which each lane has 4 bytes, in the order of lanes: it is stored without conflicts.
struct Blocks {
  std::uint32_t* pairs;  ///< of neighbours in a row
  int rows;              ///< a multiple of 8

  /// The pair that the lane has of the block at `row` and `column`, multiples of 8. A block is 32
  /// pairs: those before it are in column / 8 columns of blocks, rows / 8 each, and in row / 8 of
  /// its own.
  __device__ std::uint32_t& own_pair(int row, int column) const {
    return pairs[column * (rows / 2) + row * 4 + own_lane()];
  }
};

/// Where A or B lies in shared memory, k running along the columns of its blocks, or `turned` along
/// the rows: the same matrix serves as itself and as its transpose. In units of 16 bytes, a row of
/// a block.
template <bool turned>
struct Place {
  std::uint32_t start;   ///< the address of the first block
  std::uint32_t along;   ///< the way to the next block along k
  std::uint32_t across;  ///< and across it

  /// From an element of the matrix on, whose row and column are multiples of 8.
  __device__ Place(const Blocks& matrix, int row, int column) {
    constexpr std::uint32_t down = 8;
    const auto right = static_cast<std::uint32_t>(matrix.rows);
    const int block = column / 8 * (matrix.rows / 8) + row / 8;
    start = static_cast<std::uint32_t>(__cvta_generic_to_shared(matrix.pairs)) / 16 + block * down;
    along = turned ? down : right;
    across = turned ? right : down;
  }

  /// To the next 16 of k.
  __device__ void step() { start += 2 * along; }
};

/// A or B at such a place, as a Multiplier takes it.
template <class Multiplier, bool turned>
using Operand = typename Multiplier::template Operand<turned>;

/// c += A B over so many steps of 16 along k, as one group of products after begin.
template <class Multiplier, class A, class B, int blocks>
__device__ void multiply_group(A a, B b, int steps, float (&c)[blocks][4]) {
  for (int s = 0; s < steps; ++s) {
    Multiplier::multiply_add(a, b, c);
    a.step();
    b.step();
  }
  Multiplier::commit();
}

/// The same, from begin to its end.
template <class Multiplier, class A, class B, int blocks>
__device__ void multiply(A a, B b, int steps, float (&c)[blocks][4]) {
  Multiplier::begin(c);
  multiply_group<Multiplier>(a, b, steps, c);
  Multiplier::template wait<0>(c);
}

/// Sums of which each row is start(column), float2 for the lane's pair of the block at `column`.
template <class Start, int blocks>
__device__ void start_sums(Start start, int column, float (&sums)[blocks][4]) {
#pragma unroll
  for (int t = 0; t < blocks; ++t) {
    const float2 pair = start(column + t * 8);
    sums[t][0] = sums[t][2] = pair.x;
    sums[t][1] = sums[t][3] = pair.y;
  }
}

/// use(column, sums) for the columns of C = A B, of whose rows each begins as start(column) has it,
/// in every block of 8. A is [64, depth]; B [depth, columns] lies as it is in its blocks or, as_is
/// false, as its transpose.
///
/// Where they are twice 104, as those of the seed's network, A is read half as often as by 64
/// columns, and where products go on by themselves one half is used while the other is multiplied.
/// Others come 64 at a time and what is left by 16.
template <class Multiplier, bool as_is, class Start, class Use>
__device__ void multiply_all(const Blocks& a, const Blocks& b, int steps, int columns, Start start,
                             Use use) {
  constexpr int half = 104;
  const Operand<Multiplier, false> left(a, 0, 0);
  const auto right = [&](int column) {
    return Operand<Multiplier, as_is>(b, as_is ? 0 : column, as_is ? column : 0);
  };
  const auto take = [&](auto at_once, int column) {
    Sums<at_once.value / 8> sums;
    start_sums(start, column, sums);
    multiply<Multiplier>(left, right(column), steps, sums);
    use(column, sums);
  };
  int column = 0;
  const auto take_all = [&](auto at_once) {
#pragma unroll 1
    for (; column + at_once.value <= columns; column += at_once.value) take(at_once, column);
  };
  if (columns == 2 * half) {
    if constexpr (Multiplier::asynchronous) {
      Sums<half / 8> sums[2];
      start_sums(start, 0, sums[0]);
      start_sums(start, half, sums[1]);
      Multiplier::begin(sums);
      multiply_group<Multiplier>(left, right(0), steps, sums[0]);
      multiply_group<Multiplier>(left, right(half), steps, sums[1]);
      Multiplier::template wait<1>(sums[0]);
      use(0, sums[0]);
      Multiplier::template wait<0>(sums[1]);
      use(half, sums[1]);
    } else {
      take_all(std::integral_constant<int, half>{});
    }
    return;
  }
  take_all(std::integral_constant<int, 64>{});
  take_all(std::integral_constant<int, 16>{});
}

}  // namespace siamese::cuda::warpgroup
