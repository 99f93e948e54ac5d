// cuda::barrier: a producer warp fills a buffer that the other warps consume, in both directions
// without __syncthreads; and memcpy_async that arrives at a barrier.
#include <cuda/barrier>

#include "tests/vgpu/programs/program.cuh"

// A barrier in shared memory is initialised by a thread, not by its constructor.
#pragma nv_diag_suppress static_var_with_dynamic_init

using Barrier = cuda::barrier<cuda::thread_scope_block>;

// Sums `tiles` tiles of 64 values, loaded by warp 0, consumed by warps 1 and 2.
__global__ void pipeline(int tiles, const float* x, float* sums) {
  __shared__ float buffer[64];
  __shared__ Barrier full, empty;
  if (threadIdx.x == 0) {
    init(&full, 96);
    init(&empty, 96);
  }
  __syncthreads();
  float sum = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    if (threadIdx.x < 32) {
      for (int i = threadIdx.x; i < 64; i += 32) buffer[i] = x[tile * 64 + i];
      (void)full.arrive();
    } else {
      full.arrive_and_wait();
      sum += buffer[threadIdx.x - 32];
    }
    if (threadIdx.x < 32) {
      empty.arrive_and_wait();
    } else {
      (void)empty.arrive();
    }
  }
  if (threadIdx.x >= 32) sums[threadIdx.x - 32] = sum;
}

__global__ void reversed(const float* x, float* y) {
  __shared__ alignas(16) float buffer[128];
  __shared__ Barrier barrier;
  if (threadIdx.x == 0) init(&barrier, blockDim.x);
  __syncthreads();
  cuda::memcpy_async(buffer + threadIdx.x, x + threadIdx.x, sizeof(float), barrier);
  barrier.arrive_and_wait();
  y[threadIdx.x] = buffer[127 - threadIdx.x];
}

int main() {
  constexpr int tiles = 5;
  const std::vector<float> x = random_values(tiles * 64, 7);
  std::vector<double> want(64, 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) want[i % 64] += x[i];
  DeviceArray<float> device_x(x), sums(64);
  pipeline<<<1, 96>>>(tiles, device_x.data(), sums.data());
  check_launch();
  expect_close(sums.values(), want, 1e-5);

  std::vector<float> reversed_want(x.rend() - 128, x.rend());
  DeviceArray<float> y(128);
  reversed<<<1, 128>>>(device_x.data(), y.data());
  check_launch();
  expect_close(y.values(), reversed_want, 0);
}
