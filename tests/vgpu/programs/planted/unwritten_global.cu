// A kernel that reads device memory which nobody wrote.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void copy(const int* x, int* y) { y[threadIdx.x] = x[threadIdx.x]; }

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<int> x(32), y(32);
  check(cudaMemset(x.data(), 0, (bug ? 31 : 32) * sizeof(int)));
  copy<<<1, 32>>>(x.data(), y.data());
  check_launch();
  check(cudaDeviceSynchronize());
}
