// C [m, n] = A [m, k] B [n, k]^T in bf16 on tensor cores with float32 sums: one warp a tile of
// 16 x 16, slices of k double-buffered by cp.async, fragments loaded by ldmatrix.
#include <cuda_bf16.h>

#include <cstdint>

#include "tests/vgpu/programs/program.cuh"

constexpr int kSlice = 16;
constexpr int kStride = kSlice + 8;  // keeps ldmatrix free of bank conflicts

__device__ void copy_16_bytes(void* shared, const void* global) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global));
}

struct Tiles {
  __nv_bfloat16 a[16][kStride];
  __nv_bfloat16 b[16][kStride];
};

__device__ void load_slice(Tiles& tiles, const __nv_bfloat16* a, const __nv_bfloat16* b, int k) {
  const int row = threadIdx.x / 2;
  const int column = threadIdx.x % 2 * 8;
  copy_16_bytes(&tiles.a[row][column], a + row * k + column);
  copy_16_bytes(&tiles.b[row][column], b + row * k + column);
  asm volatile("cp.async.commit_group;");
}

__device__ void load_fragment(unsigned (&fragment)[4], const __nv_bfloat16* tile) {
  const __nv_bfloat16* row = tile + threadIdx.x % 16 * kStride + threadIdx.x / 16 * 8;
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(fragment[0]), "=r"(fragment[1]), "=r"(fragment[2]), "=r"(fragment[3])
               : "r"(address));
}

__device__ void multiply(float (&c)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__global__ void gemm(int n, int k, const __nv_bfloat16* a, const __nv_bfloat16* b, float* c) {
  __shared__ __align__(16) Tiles buffers[2];
  a += blockIdx.y * 16 * k;
  b += blockIdx.x * 16 * k;
  float sums[2][4] = {};
  load_slice(buffers[0], a, b, k);
  for (int begin = 0; begin < k; begin += kSlice) {
    const int current = begin / kSlice % 2;
    if (begin + kSlice < k) {
      load_slice(buffers[1 - current], a + begin + kSlice, b + begin + kSlice, k);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncwarp();
    unsigned fragment_a[4], fragment_b[4];
    load_fragment(fragment_a, &buffers[current].a[0][0]);
    load_fragment(fragment_b, &buffers[current].b[0][0]);
    multiply(sums[0], fragment_a, fragment_b[0], fragment_b[2]);
    multiply(sums[1], fragment_a, fragment_b[1], fragment_b[3]);
    __syncwarp();
  }
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 4; ++i) {
      const int row = blockIdx.y * 16 + threadIdx.x / 4 + i / 2 * 8;
      const int column = blockIdx.x * 16 + half * 8 + threadIdx.x % 4 * 2 + i % 2;
      c[row * n + column] = sums[half][i];
    }
  }
}

int main() {
  constexpr int m = 48;
  constexpr int n = 32;
  constexpr int k = 80;
  const auto rounded = [](const std::vector<float>& values) {
    std::vector<__nv_bfloat16> result;
    for (const float value : values) result.push_back(__float2bfloat16(value));
    return result;
  };
  const std::vector<__nv_bfloat16> a = rounded(random_values(m * k, 1));
  const std::vector<__nv_bfloat16> b = rounded(random_values(n * k, 2));
  std::vector<double> want(m * n, 0.0);
  for (int row = 0; row < m; ++row) {
    for (int column = 0; column < n; ++column) {
      for (int i = 0; i < k; ++i) {
        want[row * n + column] += static_cast<double>(__bfloat162float(a[row * k + i])) *
                                  __bfloat162float(b[column * k + i]);
      }
    }
  }
  DeviceArray<__nv_bfloat16> device_a(a), device_b(b);
  DeviceArray<float> c(m * n);
  gemm<<<dim3(n / 16, m / 16), 32>>>(n, k, device_a.data(), device_b.data(), c.data());
  check_launch();
  expect_close(c.values(), want, 1e-4);
}
