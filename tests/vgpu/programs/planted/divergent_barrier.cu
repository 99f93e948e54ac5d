// A barrier in a branch that not all threads of the block take: the others wait at the next one.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void partly(int threads_in_branch, int* y) {
  __shared__ int buffer[64];
  const int i = threadIdx.x;
  buffer[i] = i;
  if (i < threads_in_branch) {
    __syncthreads();
    y[i] = buffer[63 - i];
  }
  __syncthreads();
  buffer[i] = y[63 - i];
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<int> y(std::vector<int>(64, 0));
  partly<<<1, 64>>>(bug ? 48 : 64, y.data());
  check_launch();
  const cudaError_t waited = cudaDeviceSynchronize();
  if (!bug) check(waited);
}
