// An assert that fails on the device, and what every call returns after it.
#undef NDEBUG  // asserts stay in release builds
#include <cassert>

#include "tests/vgpu/programs/fault.cuh"

__global__ void check_positive(const int* x) { assert(x[threadIdx.x] > 0); }

int main() {
  std::vector<int> x(32, 1);
  x[5] = -1;
  DeviceArray<int> device_x(x);
  check_positive<<<1, 32>>>(device_x.data());
  expect_fault(cudaErrorAssert, device_x.data());
}
