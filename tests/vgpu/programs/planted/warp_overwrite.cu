// Lanes of one warp that overwrite what others may still have to read: values have gone through
// registers and even a shuffle since, but neither orders memory. __syncwarp does.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void rotate(int rounds, const int* x, int* y) {
  __shared__ int buffer[32];
  const int lane = threadIdx.x;
  buffer[lane] = x[lane];
  __syncwarp();
  for (int i = 0; i < rounds; ++i) {
    const int next = buffer[(lane + 1) % 32];
    const int largest = __reduce_max_sync(0xffffffffU, next);
    if (!bug) __syncwarp();
    buffer[lane] = next < largest ? next : 0;
    __syncwarp();
  }
  y[lane] = buffer[lane];
}

int main(int argc, char** argv) {
  constexpr int rounds = 5;
  const bool bug = wants_bug(argc, argv);
  std::vector<int> x(32);
  std::vector<int> want(32);
  for (int i = 0; i < 32; ++i) x[i] = want[i] = i;
  for (int i = 0; i < rounds; ++i) {
    std::vector<int> next(32);
    for (int lane = 0; lane < 32; ++lane) {
      const int value = want[(lane + 1) % 32];
      next[lane] = value < 31 - i ? value : 0;
    }
    want = next;
  }
  DeviceArray<int> device_x(x), y(32);
  if (bug) {
    rotate<true><<<1, 32>>>(rounds, device_x.data(), y.data());
  } else {
    rotate<false><<<1, 32>>>(rounds, device_x.data(), y.data());
  }
  check_launch();
  const std::vector<int> got = y.values();
  if (!bug) expect_close(got, want, 0);
}
