// C [m, 32] = A [m, k] B [32, k]^T in bf16 on a warpgroup's tensor cores: 64 rows a block, slices
// of 64 along k. A is stored to shared memory by its threads, swizzled; B was packed by the host
// into the 8 x 16 byte matrices that wgmma reads, and comes in bulk copies, double-buffered by
// mbarriers.
#include <cuda_bf16.h>

#include <cstdint>

#include "tests/vgpu/programs/program.cuh"

constexpr int kRows = 64;
constexpr int kColumns = 32;
constexpr int kSlice = 64;
constexpr int kSliceBytes = kColumns * kSlice * 2;  // of B

__device__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

// Offsets in bytes: between groups of 8 rows (stride), and along k (leading; not used with
// swizzling). swizzle: 0 for none, 1 for 128 bytes.
__device__ std::uint64_t descriptor(unsigned address, unsigned leading, unsigned stride,
                                    std::uint64_t swizzle) {
  return static_cast<std::uint64_t>(address >> 4) | static_cast<std::uint64_t>(leading >> 4) << 16 |
         static_cast<std::uint64_t>(stride >> 4) << 32 | swizzle << 62;
}

__device__ void multiply(float (&c)[16], std::uint64_t a, std::uint64_t b) {
  asm volatile(
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {%0, %1, %2, %3, %4, %5, %6, %7, %8, "
      "%9, %10, %11, %12, %13, %14, %15}, %16, %17, 1, 1, 1, 0, 0;"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3]), "+f"(c[4]), "+f"(c[5]), "+f"(c[6]),
        "+f"(c[7]), "+f"(c[8]), "+f"(c[9]), "+f"(c[10]), "+f"(c[11]), "+f"(c[12]), "+f"(c[13]),
        "+f"(c[14]), "+f"(c[15])
      : "l"(a), "l"(b));
}

// One thread asks for a slice of B; all wait for it later.
__device__ void load_b(void* to, const __nv_bfloat16* packed, std::uint64_t* barrier) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "n"(kSliceBytes));
  asm volatile(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(to)),
      "l"(packed), "n"(kSliceBytes), "r"(shared_address(barrier))
      : "memory");
}

__device__ void wait(std::uint64_t* barrier, unsigned parity) {
  asm volatile(
      "{\n.reg .pred done;\nagain:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n@!done bra again;\n}" ::"r"(
          shared_address(barrier)),
      "r"(parity)
      : "memory");
}

__global__ void gemm(int k, const __nv_bfloat16* a, const __nv_bfloat16* packed_b, float* c) {
  __shared__ __align__(1024) unsigned char tile_a[kRows * kSlice * 2];
  __shared__ __align__(128) unsigned char tiles_b[2][kSliceBytes];
  __shared__ std::uint64_t barriers[2];
  const int thread = threadIdx.x;
  if (thread == 0) {
    for (std::uint64_t& barrier : barriers) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(shared_address(&barrier)));
    }
    asm volatile("fence.mbarrier_init.release.cluster;");
  }
  __syncthreads();
  if (thread == 0) load_b(tiles_b[0], packed_b, &barriers[0]);
  float sums[16] = {};
  const int slices = k / kSlice;
  for (int slice = 0; slice < slices; ++slice) {
    const int buffer = slice % 2;
    if (thread == 0 && slice + 1 < slices) {
      load_b(tiles_b[1 - buffer], packed_b + (slice + 1) * kColumns * kSlice,
             &barriers[1 - buffer]);
    }
    for (int i = thread; i < kRows * 8; i += 128) {  // chunks of 16 bytes
      const int row = i / 8;
      const int chunk = i % 8;
      const auto* from = a + (blockIdx.x * kRows + row) * k + slice * kSlice + chunk * 8;
      *reinterpret_cast<uint4*>(tile_a + row * 128 + (chunk ^ row % 8) * 16) =
          *reinterpret_cast<const uint4*>(from);
    }
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    wait(&barriers[buffer], slice / 2 % 2);
    __syncthreads();
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    for (unsigned step = 0; step < kSlice / 16; ++step) {
      multiply(sums, descriptor(shared_address(tile_a) + step * 32, 0, 1024, 1),
               descriptor(shared_address(tiles_b[buffer]) + step * 1024, 512, 128, 0));
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    __syncthreads();
  }
  for (int i = 0; i < 16; ++i) {
    const int row = blockIdx.x * kRows + thread / 32 * 16 + thread % 32 / 4 + i / 2 % 2 * 8;
    c[row * kColumns + i / 4 * 8 + thread % 4 * 2 + i % 2] = sums[i];
  }
}

int main() {
  constexpr int m = 2 * kRows;
  constexpr int k = 5 * kSlice;
  const auto rounded = [](const std::vector<float>& values) {
    std::vector<__nv_bfloat16> result;
    for (const float value : values) result.push_back(__float2bfloat16(value));
    return result;
  };
  const std::vector<__nv_bfloat16> a = rounded(random_values(m * k, 1));
  const std::vector<__nv_bfloat16> b = rounded(random_values(kColumns * k, 2));
  // [slice, chunk of k, group of rows, row, k]: each group a matrix of 8 rows of 16 bytes.
  std::vector<__nv_bfloat16> packed(b.size());
  for (int row = 0; row < kColumns; ++row) {
    for (int i = 0; i < k; ++i) {
      const int matrix = (i / 8) * (kColumns / 8) + row / 8;
      packed[matrix * 64 + row % 8 * 8 + i % 8] = b[row * k + i];
    }
  }
  std::vector<double> want(m * kColumns, 0.0);
  for (int row = 0; row < m; ++row) {
    for (int column = 0; column < kColumns; ++column) {
      for (int i = 0; i < k; ++i) {
        want[row * kColumns + column] += static_cast<double>(__bfloat162float(a[row * k + i])) *
                                         __bfloat162float(b[column * k + i]);
      }
    }
  }
  DeviceArray<__nv_bfloat16> device_a(a), device_b(packed);
  DeviceArray<float> c(m * kColumns);
  gemm<<<m / kRows, 128>>>(k, device_a.data(), device_b.data(), c.data());
  check_launch();
  expect_close(c.values(), want, 1e-4);
}
