// A kernel that reads memory which was freed.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void copy(const int* x, int* y) { y[threadIdx.x] = x[threadIdx.x]; }

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  int* x = nullptr;
  check(cudaMalloc(reinterpret_cast<void**>(&x), 32 * sizeof(int)));
  check(cudaMemset(x, 0, 32 * sizeof(int)));
  DeviceArray<int> y(32);
  if (bug) check(cudaFree(x));
  copy<<<1, 32>>>(x, y.data());
  check_launch();
  if (!bug) check(cudaFree(x));
  expect_close(y.values(), std::vector<int>(32, 0), 0);
}
