// A program that ends before it has waited for its kernel, which stores out of bounds.
#include "tests/vgpu/programs/planted/planted.cuh"

__device__ int values[32];

__global__ void fill(int n) {
  for (int i = threadIdx.x; i < n; i += 32) values[i] = i;
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  fill<<<1, 32>>>(bug ? 33 : 32);
  check_launch();
  if (!bug) check(cudaDeviceSynchronize());
}
