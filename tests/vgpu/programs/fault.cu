// A kernel that ends by a trap, or, run as `fault misaligned`, by a misaligned store, and what
// every call returns after it.
#include <string_view>

#include "tests/vgpu/programs/fault.cuh"

__global__ void trap() { asm volatile("trap;"); }

__global__ void store_misaligned(int* x) {
  *reinterpret_cast<int*>(reinterpret_cast<char*>(x) + 1) = 1;
}

int main(int argc, char** argv) {
  const bool misaligned = argc > 1 && std::string_view(argv[1]) == "misaligned";
  DeviceArray<int> x(16);
  if (misaligned) {
    store_misaligned<<<1, 1>>>(x.data());
  } else {
    trap<<<1, 1>>>();
  }
  expect_fault(misaligned ? cudaErrorMisalignedAddress : cudaErrorLaunchFailure, x.data());
}
