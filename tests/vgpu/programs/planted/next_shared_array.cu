// An index past the end of a shared array, where another shared array may lie.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void shift(int distance, const float* x, float* y) {
  __shared__ float first[64];
  __shared__ float second[64];
  first[threadIdx.x] = x[threadIdx.x];
  second[threadIdx.x] = -x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = first[threadIdx.x + distance] + second[threadIdx.x];
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<float> x(random_values(64, 1)), y(64);
  shift<<<1, 64>>>(bug ? 1 : 0, x.data(), y.data());
  check_launch();
  expect_close(y.values(), std::vector<float>(64, 0.0F), 0);
}
