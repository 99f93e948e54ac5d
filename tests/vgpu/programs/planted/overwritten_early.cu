// A tile buffer that the next round fills while slower warps still read it: the second barrier of
// the loop is missing.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void running_sums(int tiles, const float* x, float* y) {
  __shared__ float tile[128];
  float sum = 0;
  for (int t = 0; t < tiles; ++t) {
    tile[threadIdx.x] = x[t * 128 + threadIdx.x];
    __syncthreads();
    for (int i = 0; i < 128; ++i) sum += tile[(threadIdx.x + i) % 128];
    if (!bug) __syncthreads();
  }
  y[threadIdx.x] = sum;
}

int main(int argc, char** argv) {
  constexpr int tiles = 4;
  const bool bug = wants_bug(argc, argv);
  DeviceArray<float> x(std::vector<float>(tiles * 128, 1.0F)), y(128);
  if (bug) {
    running_sums<true><<<1, 128>>>(tiles, x.data(), y.data());
  } else {
    running_sums<false><<<1, 128>>>(tiles, x.data(), y.data());
  }
  check_launch();
  const std::vector<float> got = y.values();
  if (!bug) expect_close(got, std::vector<float>(128, tiles * 128.0F), 0);
}
