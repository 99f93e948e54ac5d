// printf from a kernel. What is printed is checked by the test that runs this.
#include "tests/vgpu/programs/program.cuh"

// printf gives the number of its arguments, and -1 without a format.
__global__ void count(int* counts) {
  counts[0] = printf("%d %s\n", 1000, "things");
  counts[1] = printf("no arguments, 100%%\n");
  counts[2] = printf(static_cast<const char*>(nullptr));
}

__global__ void greet(const char* name, double value) {
  if (threadIdx.x == 3) {
    printf("thread %u of %d says %s: %.3f, %5d|%-5d|%x, %c%%, %lld\n", threadIdx.x, blockDim.x,
           name, value, 42, 42, 255U, 'c', -(1LL << 40));
  }
}

__device__ char name_on_device[] = "hello";

int main() {
  void* name = nullptr;
  check(cudaGetSymbolAddress(&name, name_on_device));
  greet<<<1, 32>>>(static_cast<const char*>(name), 2.5);
  check_launch();
  check(cudaDeviceSynchronize());

  DeviceArray<int> counts(3);
  count<<<1, 1>>>(counts.data());
  check_launch();
  expect_close(counts.values(), std::vector<int>{2, 0, -1}, 0);
}
