// C [m, n] = A [m, k] B [k, n], tiled in shared memory: once with arrays of fixed size, once with
// dynamic shared memory above 48 KiB, which has to be asked for.
#include "tests/vgpu/programs/program.cuh"

constexpr int kTile = 16;

__global__ void gemm_static(int m, int n, int k, const float* a, const float* b, float* c) {
  __shared__ float tile_a[kTile][kTile];
  __shared__ float tile_b[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y;
  const int column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int begin = 0; begin < k; begin += kTile) {
    const int ak = begin + threadIdx.x;
    const int bk = begin + threadIdx.y;
    tile_a[threadIdx.y][threadIdx.x] = row < m && ak < k ? a[row * k + ak] : 0.0F;
    tile_b[threadIdx.y][threadIdx.x] = column < n && bk < k ? b[bk * n + column] : 0.0F;
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum += tile_a[threadIdx.y][i] * tile_b[i][threadIdx.x];
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

// One block computes 32 rows; all of its rows of A [32, k] lie in dynamic shared memory.
__global__ void gemm_dynamic(int m, int n, int k, const float* a, const float* b, float* c) {
  extern __shared__ float rows[];
  const int first = blockIdx.x * 32;
  for (int i = threadIdx.x; i < 32 * k; i += blockDim.x) {
    rows[i] = first + i / k < m ? a[first * k + i] : 0.0F;
  }
  __syncthreads();
  for (int column = threadIdx.x; column < n; column += blockDim.x) {
    for (int row = 0; row < 32 && first + row < m; ++row) {
      float sum = 0;
      for (int i = 0; i < k; ++i) sum += rows[row * k + i] * b[i * n + column];
      c[(first + row) * n + column] = sum;
    }
  }
}

std::vector<double> reference(int m, int n, int k, const std::vector<float>& a,
                              const std::vector<float>& b) {
  std::vector<double> c(static_cast<std::size_t>(m) * n, 0.0);
  for (int row = 0; row < m; ++row) {
    for (int i = 0; i < k; ++i) {
      for (int column = 0; column < n; ++column) {
        c[row * n + column] += static_cast<double>(a[row * k + i]) * b[i * n + column];
      }
    }
  }
  return c;
}

int main() {
  constexpr int m = 65;
  constexpr int n = 70;
  constexpr int k = 449;  // 32 rows of it are 57,472 bytes
  const std::vector<float> a = random_values(m * k, 1);
  const std::vector<float> b = random_values(k * n, 2);
  const std::vector<double> want = reference(m, n, k, a, b);
  DeviceArray<float> device_a(a), device_b(b), c(m * n), d(m * n);

  const dim3 grid(blocks_for(n, kTile), blocks_for(m, kTile));
  gemm_static<<<grid, dim3(kTile, kTile)>>>(m, n, k, device_a.data(), device_b.data(), c.data());
  check_launch();
  expect_close(c.values(), want, 1e-3);

  constexpr int bytes = 32 * k * sizeof(float);
  check(cudaFuncSetAttribute(gemm_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
  gemm_dynamic<<<blocks_for(m, 32), 96, bytes>>>(m, n, k, device_a.data(), device_b.data(),
                                                 d.data());
  check_launch();
  expect_close(d.values(), want, 1e-3);
}
