#pragma once

#include <cstdint>

#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/warpgroup.cuh"

namespace siamese::cuda {

/// wgmma, the tensor-core instruction of a warpgroup: of compute capability 9.0 alone, in code
/// compiled for sm_90a.
///
/// It reads shared memory by the asynchronous proxy: what threads stored there it sees after
/// fence_stores, and the sums are not there before finish.
struct Wgmma {
  static constexpr const char* name = "wgmma";
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  static constexpr bool available = true;
#else
  static constexpr bool available = false;
#endif
  static constexpr bool asynchronous = true;
  static constexpr int depth_at_once = 64;  ///< one wait for all

  template <bool turned>
  struct Operand {
    std::uint64_t descriptor;
    std::uint64_t step_length;

    __device__ Operand(const warpgroup::Blocks& matrix, int row, int column) {
      const warpgroup::Place<turned> place(matrix, row, column);
      const std::uint64_t along = place.along;
      const std::uint64_t across = place.across;
      descriptor = place.start | along << 16 | across << 32;
      step_length = 2 * along;
    }
    __device__ void step() { descriptor += step_length; }
  };

  static __device__ void fence_stores() { fence_async_proxy(); }

  static __device__ void meet(int group) {
    fence_stores();
    warpgroup::wait_for_group(group);
  }

  template <class... Registers>
  static __device__ void begin(Registers&... registers) {
    (pin(registers), ...);
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  }

  static __device__ void commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

  template <int last, class... Registers>
  static __device__ void wait(Registers&... registers) {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(last) : "memory");
    (pin(registers), ...);
  }

  template <class... Registers>
  static __device__ void finish(Registers&... registers) {
    commit();
    wait<0>(registers...);
  }

  template <int registers>
  static __device__ void give_registers() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
  }
  template <int registers>
  static __device__ void take_registers() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
  }

  template <bool a_turned, bool b_turned>
  static __device__ void multiply_add(const Operand<a_turned>& a, const Operand<b_turned>& b,
                                      warpgroup::Sums<2>& c) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7}, "
        "%8, %9, 1, 1, 1, %10, %11;"
        : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
          "+f"(c[1][2]), "+f"(c[1][3])
        : "l"(a.descriptor), "l"(b.descriptor), "n"(a_turned), "n"(b_turned));
  }

  template <bool a_turned, bool b_turned>
  static __device__ void multiply_add(const Operand<a_turned>& a, const Operand<b_turned>& b,
                                      warpgroup::Sums<8>& c) {
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
        : "l"(a.descriptor), "l"(b.descriptor), "n"(a_turned), "n"(b_turned));
  }

  template <bool a_turned, bool b_turned>
  static __device__ void multiply_add(const Operand<a_turned>& a, const Operand<b_turned>& b,
                                      warpgroup::Sums<13>& c) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n104k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, "
        "%8, "
        "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
        "%27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, "
        "%45, %46, %47, %48, %49, %50, %51}, %52, %53, 1, 1, 1, %54, %55;"
        : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
          "+f"(c[1][2]), "+f"(c[1][3]), "+f"(c[2][0]), "+f"(c[2][1]), "+f"(c[2][2]), "+f"(c[2][3]),
          "+f"(c[3][0]), "+f"(c[3][1]), "+f"(c[3][2]), "+f"(c[3][3]), "+f"(c[4][0]), "+f"(c[4][1]),
          "+f"(c[4][2]), "+f"(c[4][3]), "+f"(c[5][0]), "+f"(c[5][1]), "+f"(c[5][2]), "+f"(c[5][3]),
          "+f"(c[6][0]), "+f"(c[6][1]), "+f"(c[6][2]), "+f"(c[6][3]), "+f"(c[7][0]), "+f"(c[7][1]),
          "+f"(c[7][2]), "+f"(c[7][3]), "+f"(c[8][0]), "+f"(c[8][1]), "+f"(c[8][2]), "+f"(c[8][3]),
          "+f"(c[9][0]), "+f"(c[9][1]), "+f"(c[9][2]), "+f"(c[9][3]), "+f"(c[10][0]),
          "+f"(c[10][1]), "+f"(c[10][2]), "+f"(c[10][3]), "+f"(c[11][0]), "+f"(c[11][1]),
          "+f"(c[11][2]), "+f"(c[11][3]), "+f"(c[12][0]), "+f"(c[12][1]), "+f"(c[12][2]),
          "+f"(c[12][3])
        : "l"(a.descriptor), "l"(b.descriptor), "n"(a_turned), "n"(b_turned));
  }

  /// The same with A in registers.
  template <bool b_turned>
  static __device__ void multiply_add(const std::uint32_t (&a)[4], const Operand<b_turned>& b,
                                      warpgroup::Sums<8>& c) {
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
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.descriptor), "n"(b_turned));
  }

  template <bool b_turned>
  static __device__ void multiply_add(const std::uint32_t (&a)[4], const Operand<b_turned>& b,
                                      warpgroup::Sums<13>& c) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n104k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, "
        "%8, "
        "%9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, "
        "%27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, "
        "%45, %46, %47, %48, %49, %50, %51}, {%52, %53, %54, %55}, %56, 1, 1, 1, %57;"
        : "+f"(c[0][0]), "+f"(c[0][1]), "+f"(c[0][2]), "+f"(c[0][3]), "+f"(c[1][0]), "+f"(c[1][1]),
          "+f"(c[1][2]), "+f"(c[1][3]), "+f"(c[2][0]), "+f"(c[2][1]), "+f"(c[2][2]), "+f"(c[2][3]),
          "+f"(c[3][0]), "+f"(c[3][1]), "+f"(c[3][2]), "+f"(c[3][3]), "+f"(c[4][0]), "+f"(c[4][1]),
          "+f"(c[4][2]), "+f"(c[4][3]), "+f"(c[5][0]), "+f"(c[5][1]), "+f"(c[5][2]), "+f"(c[5][3]),
          "+f"(c[6][0]), "+f"(c[6][1]), "+f"(c[6][2]), "+f"(c[6][3]), "+f"(c[7][0]), "+f"(c[7][1]),
          "+f"(c[7][2]), "+f"(c[7][3]), "+f"(c[8][0]), "+f"(c[8][1]), "+f"(c[8][2]), "+f"(c[8][3]),
          "+f"(c[9][0]), "+f"(c[9][1]), "+f"(c[9][2]), "+f"(c[9][3]), "+f"(c[10][0]),
          "+f"(c[10][1]), "+f"(c[10][2]), "+f"(c[10][3]), "+f"(c[11][0]), "+f"(c[11][1]),
          "+f"(c[11][2]), "+f"(c[11][3]), "+f"(c[12][0]), "+f"(c[12][1]), "+f"(c[12][2]),
          "+f"(c[12][3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b.descriptor), "n"(b_turned));
  }

 private:
  /// Keeps the compiler from moving what it does with registers of products past this place.
  template <int blocks>
  static __device__ void pin(float (&sums)[blocks][4]) {
#pragma unroll
    for (int t = 0; t < blocks; ++t) {
#pragma unroll
      for (int i = 0; i < 4; ++i) asm volatile("" : "+f"(sums[t][i])::"memory");
    }
  }
  template <int steps>
  static __device__ void pin(std::uint32_t (&a)[steps][4]) {
#pragma unroll
    for (int s = 0; s < steps; ++s) {
#pragma unroll
      for (int i = 0; i < 4; ++i) asm volatile("" : "+r"(a[s][i])::"memory");
    }
  }
  template <int count, int blocks>
  static __device__ void pin(float (&sums)[count][blocks][4]) {
#pragma unroll
    for (int c = 0; c < count; ++c) pin(sums[c]);
  }
};

}  // namespace siamese::cuda
