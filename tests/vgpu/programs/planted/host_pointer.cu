// A kernel that is given an address of the host.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void copy(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  const std::vector<float> x = random_values(32, 1);
  DeviceArray<float> device_x(x), y(32);
  copy<<<1, 32>>>(bug ? x.data() : device_x.data(), y.data());
  check_launch();
  expect_close(y.values(), x, 0);
}
