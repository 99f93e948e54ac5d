// Data that cp.async is still to bring, read without waiting for it.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void copy(const float* x, float* y) {
  __shared__ float buffer[64];
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(&buffer[threadIdx.x]));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(address), "l"(x + threadIdx.x));
  asm volatile("cp.async.commit_group;");
  if (!bug) asm volatile("cp.async.wait_group 0;" ::: "memory");
  y[threadIdx.x] = *static_cast<volatile float*>(&buffer[threadIdx.x]);
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  const std::vector<float> x = random_values(64, 1);
  DeviceArray<float> device_x(x), y(64);
  if (bug) {
    copy<true><<<1, 64>>>(device_x.data(), y.data());
  } else {
    copy<false><<<1, 64>>>(device_x.data(), y.data());
  }
  check_launch();
  expect_close(y.values(), x, 0);
}
