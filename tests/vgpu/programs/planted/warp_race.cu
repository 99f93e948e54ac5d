// Lanes of one warp that exchange values through shared memory without __syncwarp.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void reverse(const int* x, int* y) {
  __shared__ int buffer[32];
  buffer[threadIdx.x] = x[threadIdx.x];
  if (!bug) __syncwarp();
  y[threadIdx.x] = buffer[31 - threadIdx.x];
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  std::vector<int> x(32);
  std::vector<int> want(32);
  for (int i = 0; i < 32; ++i) x[i] = want[31 - i] = i;
  DeviceArray<int> device_x(x), y(32);
  if (bug) {
    reverse<true><<<1, 32>>>(device_x.data(), y.data());
  } else {
    reverse<false><<<1, 32>>>(device_x.data(), y.data());
  }
  check_launch();
  const std::vector<int> got = y.values();
  if (!bug) expect_close(got, want, 0);
}
