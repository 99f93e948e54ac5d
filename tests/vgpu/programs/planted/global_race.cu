// Blocks that add to one word without an atomic.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void count(int* counter) {
  if (threadIdx.x != 0) return;
  if (bug) {
    *counter += 1;
  } else {
    atomicAdd(counter, 1);
  }
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  DeviceArray<int> counter(std::vector<int>{0});
  if (bug) {
    count<true><<<8, 32>>>(counter.data());
  } else {
    count<false><<<8, 32>>>(counter.data());
  }
  check_launch();
  const std::vector<int> got = counter.values();
  if (!bug) expect_close(got, std::vector<int>{8}, 0);
}
