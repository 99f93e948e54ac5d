// The sum of an array: by shuffles inside a warp, shared memory inside a block and an atomic
// between blocks; and the extremes of integers by warp reductions and votes.
#include "tests/vgpu/programs/program.cuh"

__device__ float warp_sum(float value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(~0U, value, offset);
  return value;
}

__global__ void sum(int n, const float* x, float* total) {
  __shared__ float partial[32];
  float value = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    value += x[i];
  }
  value = warp_sum(value);
  const unsigned warp = threadIdx.x / 32;
  const unsigned lane = threadIdx.x % 32;
  if (lane == 0) partial[warp] = value;
  __syncthreads();
  if (warp == 0) {
    value = warp_sum(lane < blockDim.x / 32 ? partial[lane] : 0.0F);
    if (lane == 0) atomicAdd(total, value);
  }
}

// For each warp of 32 values: maximum, number of negative ones, and of those equal to lane 0's.
__global__ void statistics(const int* x, int* result) {
  const int value = x[blockIdx.x * 32 + threadIdx.x];
  const int largest = __reduce_max_sync(~0U, value);
  const int negative = __popc(__ballot_sync(~0U, value < 0));
  const int equal = __popc(__match_any_sync(~0U, value));
  if (threadIdx.x == 0) {
    result[blockIdx.x * 3] = largest;
    result[blockIdx.x * 3 + 1] = negative;
    result[blockIdx.x * 3 + 2] = equal;
  }
}

int main() {
  const std::vector<float> x = random_values(10007, 3);
  double want = 0;
  for (const float value : x) want += value;
  DeviceArray<float> device_x(x);
  for (const int threads : {32, 64, 160, 1024}) {
    DeviceArray<float> total(std::vector<float>{0.0F});
    sum<<<7, threads>>>(static_cast<int>(x.size()), device_x.data(), total.data());
    check_launch();
    expect_close(total.values(), std::vector<double>{want}, 1e-3);
  }

  constexpr int warps = 5;
  std::vector<int> integers(warps * 32);
  for (std::size_t i = 0; i < integers.size(); ++i) {
    integers[i] = static_cast<int>(i * 7919 % 13) - 6;
  }
  std::vector<int> statistics_want;
  for (int warp = 0; warp < warps; ++warp) {
    const int* begin = &integers[warp * 32];
    int largest = begin[0];
    int negative = 0;
    int equal = 0;
    for (int lane = 0; lane < 32; ++lane) {
      largest = std::max(largest, begin[lane]);
      negative += begin[lane] < 0;
      equal += begin[lane] == begin[0];
    }
    statistics_want.insert(statistics_want.end(), {largest, negative, equal});
  }
  DeviceArray<int> device_integers(integers), result(warps * 3);
  statistics<<<warps, 32>>>(device_integers.data(), result.data());
  check_launch();
  expect_close(result.values(), statistics_want, 0);
}
