// Operands of a warpgroup's product that threads have stored to shared memory: tensor cores see
// them only after a proxy fence. All are 1, so that their layout plays no part.
#include <cuda_bf16.h>

#include <cstdint>

#include "tests/vgpu/programs/planted/planted.cuh"

constexpr int kRows = 64;
constexpr int kColumns = 8;
constexpr int kDepth = 16;

// Matrices of 8 rows of 16 bytes, two along k.
__device__ std::uint64_t descriptor(const void* p) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(p));
  return static_cast<std::uint64_t>(address >> 4) | std::uint64_t{128 >> 4} << 16 |
         std::uint64_t{256 >> 4} << 32;
}

template <bool bug>
__global__ void multiply(float* c) {
  __shared__ __align__(128) __nv_bfloat16 a[kRows * kDepth];
  __shared__ __align__(128) __nv_bfloat16 b[kColumns * kDepth];
  for (int i = threadIdx.x; i < kRows * kDepth; i += 128) a[i] = __float2bfloat16(1.0F);
  b[threadIdx.x] = __float2bfloat16(1.0F);
  if (!bug) asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  float d[4] = {};
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%0, %1, %2, %3}, %4, %5, 1, 1, 1, 0, "
      "0;"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "l"(descriptor(a)), "l"(descriptor(b)));
  asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
  asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
  for (int i = 0; i < 4; ++i) c[threadIdx.x * 4 + i] = d[i];
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<float> c(kRows * kColumns);
  if (bug) {
    multiply<true><<<1, 128>>>(c.data());
  } else {
    multiply<false><<<1, 128>>>(c.data());
  }
  check_launch();
  const std::vector<float> got = c.values();
  if (!bug) expect_close(got, std::vector<float>(kRows * kColumns, kDepth), 0);
}
