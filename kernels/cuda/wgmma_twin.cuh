#pragma once

#include <cstdint>

#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/warpgroup.cuh"

namespace siamese::cuda {

/// The products of a warpgroup made by its warps, each for its own 16 rows, with mma.sync and
/// ldmatrix. What takes Wgmma takes this in its place, for two reasons: the kernel and its shared
/// memory are the same, so that the difference in time is what wgmma buys; and it serves devices
/// and builds of compute capability 9.0 or later that are without wgmma. Below 9.0 there are no
/// bulk copies, which the kernels have too.
///
/// What differs: every warp reads all of B, which wgmma reads once for the four, and operands pass
/// through registers. A block of 8 x 8 is 128 bytes without a gap, so that ldmatrix meets no bank
/// conflict.
struct WgmmaTwin {
  static constexpr const char* name = "wgmma_twin";
#if __CUDA_ARCH__ >= 900
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool asynchronous = false;
  static constexpr int depth_at_once = warpgroup::depth;  ///< it takes no registers from others

  template <bool turned>
  using Operand = warpgroup::Place<turned>;

  static __device__ void fence_stores() {}  // ldmatrix reads by no other proxy
  static __device__ void meet(int group) { warpgroup::wait_for_group(group); }

  template <class... Registers>
  static __device__ void begin(Registers&...) {}
  static __device__ void commit() {}
  template <int last, class... Registers>
  static __device__ void wait(Registers&...) {}
  template <class... Registers>
  static __device__ void finish(Registers&...) {}

  template <int registers>
  static __device__ void give_registers() {}
  template <int registers>
  static __device__ void take_registers() {}

  template <bool a_turned, bool b_turned, int blocks>
  static __device__ void multiply_add(const Operand<a_turned>& a, const Operand<b_turned>& b,
                                      float (&c)[blocks][4]) {
    const int warp = own_warp() % warpgroup::group_warps;
    std::uint32_t rows[4];
    mma::load_matrices<a_turned>(own_row(a, 2 * warp + matrix() % 2, matrix() / 2), rows);
    multiply_add(rows, b, c);
  }

  /// The same with A in registers.
  template <bool b_turned, int blocks>
  static __device__ void multiply_add(const std::uint32_t (&a)[4], const Operand<b_turned>& b,
                                      float (&c)[blocks][4]) {
#pragma unroll
    for (int t = 0; t + 1 < blocks; t += 2) {
      std::uint32_t columns[4];
      mma::load_matrices<b_turned>(own_row(b, t + matrix() / 2, matrix() % 2), columns);
      mma::multiply_add_bf16(a, {columns[0], columns[1]}, c[t]);
      mma::multiply_add_bf16(a, {columns[2], columns[3]}, c[t + 1]);
    }
    if constexpr (blocks % 2 == 1) {
      std::uint32_t columns[2];
      mma::load_matrices<b_turned>(own_row(b, blocks - 1, matrix() % 2), columns);
      mma::multiply_add_bf16(a, columns, c[blocks - 1]);
    }
  }

 private:
  /// The matrix of which the lane gives a row to ldmatrix.
  static __device__ int matrix() { return own_lane() / 8; }

  /// The address of that row, in a block so many further across and along k.
  template <bool turned>
  static __device__ std::uint32_t own_row(const Operand<turned>& place, int across, int along) {
    return (place.start + across * place.across + along * place.along + own_lane() % 8) * 16;
  }
};

}  // namespace siamese::cuda
