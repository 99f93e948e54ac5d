// Relocatable device code: a variable and a function of another source file.
#include "tests/vgpu/programs/program.cuh"

extern __device__ int other_offset;
extern __device__ int other_twice(int value);

__global__ void use(int* y) { y[threadIdx.x] = other_twice(threadIdx.x) + other_offset; }

int main() {
  DeviceArray<int> y(32);
  use<<<1, 32>>>(y.data());
  check_launch();
  std::vector<int> want(32);
  for (int i = 0; i < 32; ++i) want[i] = 2 * i + 7;
  expect_close(y.values(), want, 0);
}
