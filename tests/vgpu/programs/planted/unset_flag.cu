// A barrier of the grid by hand that waits for one arrival more than there are blocks: every block
// asks for ever.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void meet(int arrivals, int* arrived) {
  __threadfence();
  atomicAdd(arrived, 1);
  while (*static_cast<volatile int*>(arrived) < arrivals) {
  }
  __threadfence();
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  constexpr int blocks = 4;
  DeviceArray<int> arrived(std::vector<int>(1, 0));
  meet<<<blocks, 1>>>(bug ? blocks + 1 : blocks, arrived.data());
  check_launch();
  const cudaError_t waited = cudaDeviceSynchronize();
  if (!bug) check(waited);
}
