// A sum over shared memory of which the last quarter was never written.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void sum(int written, float* y) {
  __shared__ float buffer[64];
  if (static_cast<int>(threadIdx.x) < written) buffer[threadIdx.x] = 1.0F;
  __syncthreads();
  if (threadIdx.x == 0) {
    float total = 0;
    for (int i = 0; i < 64; ++i) total += buffer[i];
    *y = total;
  }
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<float> y(1);
  sum<<<1, 64>>>(bug ? 48 : 64, y.data());
  check_launch();
  (void)y.values();  // no check of the value: the memory might have held zeros, or ones
}
