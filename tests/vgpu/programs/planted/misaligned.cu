// A vector load from an address that is no multiple of its size.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void load(const float* x, float* y) {
  const float4 v = *reinterpret_cast<const float4*>(x + threadIdx.x * 4);
  y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<float> x(std::vector<float>(132, 0.5F)), y(32);
  load<<<1, 32>>>(x.data() + (bug ? 1 : 4), y.data());
  check_launch();
  expect_close(y.values(), std::vector<float>(32, 2.0F), 0);
}
