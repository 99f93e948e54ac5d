// An assert that fails on the device: the next wait returns cudaErrorAssert, and so does every call
// after it, for the error is sticky.
#undef NDEBUG  // asserts stay in release builds
#include <cassert>

#include "tests/vgpu/programs/program.cuh"

__global__ void check_positive(const int* x) { assert(x[threadIdx.x] > 0); }

int main() {
  std::vector<int> x(32, 1);
  x[5] = -1;
  DeviceArray<int> device_x(x);
  check_positive<<<1, 32>>>(device_x.data());
  check_launch();
  expect(cudaDeviceSynchronize() == cudaErrorAssert, "cudaErrorAssert from the wait");
  expect(cudaGetLastError() == cudaErrorAssert, "cudaErrorAssert as the last error");
  expect(cudaGetLastError() == cudaErrorAssert, "a sticky error to stay");
  void* pointer = nullptr;
  expect(cudaMalloc(&pointer, 16) == cudaErrorAssert, "every later call to return it");
}
