// A barrier in a branch that not all threads of the block take.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void partly(int threads_in_branch, int* y) {
  __shared__ int buffer[64];
  buffer[threadIdx.x] = threadIdx.x;
  if (static_cast<int>(threadIdx.x) < threads_in_branch) {
    __syncthreads();
    y[threadIdx.x] = buffer[63 - threadIdx.x];
  }
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<int> y(std::vector<int>(64, 0));
  partly<<<1, 64>>>(bug ? 48 : 64, y.data());
  check_launch();
  const cudaError_t waited = cudaDeviceSynchronize();
  if (!bug) check(waited);
}
