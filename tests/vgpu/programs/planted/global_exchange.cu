// Threads of one block that exchange values through global memory: a fence makes a store visible,
// but only the barrier makes others wait for it.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void reverse(const int* x, int* scratch, int* y) {
  const int i = threadIdx.x;
  scratch[i] = x[i];
  __threadfence_block();
  if (!bug) __syncthreads();
  y[i] = scratch[blockDim.x - 1 - i];
}

int main(int argc, char** argv) {
  constexpr int n = 256;
  const bool bug = wants_bug(argc, argv);
  std::vector<int> x(n);
  std::vector<int> want(n);
  for (int i = 0; i < n; ++i) x[i] = want[n - 1 - i] = i;
  DeviceArray<int> device_x(x), scratch(std::vector<int>(n, 0)), y(n);
  if (bug) {
    reverse<true><<<1, n>>>(device_x.data(), scratch.data(), y.data());
  } else {
    reverse<false><<<1, n>>>(device_x.data(), scratch.data(), y.data());
  }
  check_launch();
  const std::vector<int> got = y.values();
  if (!bug) expect_close(got, want, 0);
}
