// An index one past the end of an array in global memory.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void fill(int last, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= last) y[i] = 1.0F;
}

int main(int argc, char** argv) {
  constexpr int n = 100;
  const bool bug = wants_bug(argc, argv);
  DeviceArray<float> y(n);
  fill<<<1, 128>>>(bug ? n : n - 1, y.data());
  check_launch();
  expect_close(y.values(), std::vector<float>(n, 1.0F), 0);
}
