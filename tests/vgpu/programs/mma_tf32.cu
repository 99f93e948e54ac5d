// C [16, 8] = A [16, k] B [k, 8] in TF32 on tensor cores: one warp, fragments loaded by hand. The
// inputs are rounded to TF32 first, as the instruction expects.
#include <cstdint>
#include <cstring>

#include "tests/vgpu/programs/program.cuh"

__device__ unsigned to_tf32(float value) {
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return bits;
}

__global__ void gemm(int k, const float* a, const float* b, float* c) {
  const int group = threadIdx.x / 4;
  const int in_group = threadIdx.x % 4;
  float sums[4] = {};
  for (int begin = 0; begin < k; begin += 8) {
    unsigned fragment_a[4], fragment_b[2];
    for (int i = 0; i < 4; ++i) {
      fragment_a[i] = to_tf32(a[(group + i % 2 * 8) * k + begin + in_group + i / 2 * 4]);
    }
    for (int i = 0; i < 2; ++i) {
      fragment_b[i] = to_tf32(b[(begin + in_group + i * 4) * 8 + group]);
    }
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(fragment_a[0]), "r"(fragment_a[1]), "r"(fragment_a[2]), "r"(fragment_a[3]),
          "r"(fragment_b[0]), "r"(fragment_b[1]));
  }
  for (int i = 0; i < 4; ++i) c[(group + i / 2 * 8) * 8 + in_group * 2 + i % 2] = sums[i];
}

// To the nearest value with 10 bits of mantissa, ties away from zero.
double tf32(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x1000U) & ~0x1fffU;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

int main() {
  constexpr int k = 56;
  const std::vector<float> a = random_values(16 * k, 1);
  const std::vector<float> b = random_values(k * 8, 2);
  std::vector<double> want(16 * 8, 0.0);
  for (int row = 0; row < 16; ++row) {
    for (int i = 0; i < k; ++i) {
      for (int column = 0; column < 8; ++column) {
        want[row * 8 + column] += tf32(a[row * k + i]) * tf32(b[i * 8 + column]);
      }
    }
  }
  DeviceArray<float> device_a(a), device_b(b), c(16 * 8);
  gemm<<<1, 32>>>(k, device_a.data(), device_b.data(), c.data());
  check_launch();
  expect_close(c.values(), want, 1e-5);
}
