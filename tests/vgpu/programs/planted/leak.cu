// Memory that is still there at exit.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void fill(int* x) { x[threadIdx.x] = threadIdx.x; }

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  int* pointer = nullptr;
  check(cudaMalloc(reinterpret_cast<void**>(&pointer), 32 * sizeof(int)));
  fill<<<1, 32>>>(pointer);
  check_launch();
  check(cudaDeviceSynchronize());
  if (!bug) check(cudaFree(pointer));
}
