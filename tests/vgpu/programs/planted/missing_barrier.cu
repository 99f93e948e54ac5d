// A reduction in shared memory that lacks the barrier between its steps. The result may be right by
// chance; the race is there at every block size, between warps or between the lanes of one.
#include "tests/vgpu/programs/planted/planted.cuh"

template <bool bug>
__global__ void sum(const float* x, float* y) {
  extern __shared__ float buffer[];
  buffer[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) buffer[threadIdx.x] += buffer[threadIdx.x + half];
    if (!bug) __syncthreads();
  }
  if (threadIdx.x == 0) *y = buffer[0];
}

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  expect(threads > 0, "a number of threads");
  DeviceArray<float> x(std::vector<float>(threads, 1.0F)), y(1);
  if (bug) {
    sum<true><<<1, threads, threads * sizeof(float)>>>(x.data(), y.data());
  } else {
    sum<false><<<1, threads, threads * sizeof(float)>>>(x.data(), y.data());
  }
  check_launch();
  const std::vector<float> got = y.values();
  if (!bug) expect_close(got, std::vector<float>{static_cast<float>(threads)}, 0);
}
