// Cooperative groups: tiles of a warp, and a grid whose blocks wait for one another.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>

#include "tests/vgpu/programs/program.cuh"

namespace cg = cooperative_groups;

// Each round every element becomes the mean of its neighbours on a ring; rounds must not mix.
__global__ void smooth(int n, int rounds, float* x, float* y) {
  const cg::grid_group grid = cg::this_grid();
  for (int round = 0; round < rounds; ++round) {
    for (unsigned long long i = grid.thread_rank(); i < n; i += grid.size()) {
      y[i] = 0.5F * (x[(i + 1) % n] + x[(i + n - 1) % n]);
    }
    grid.sync();
    float* const swapped = x;
    x = y;
    y = swapped;
  }
}

__global__ void tile_sums(const float* x, float* sums) {
  const auto tile = cg::tiled_partition<8>(cg::this_thread_block());
  const float sum = cg::reduce(tile, x[threadIdx.x], cg::plus<float>());
  if (tile.thread_rank() == 0) sums[tile.meta_group_rank()] = sum;
}

int main() {
  int n = 777;
  int rounds = 5;
  std::vector<float> x = random_values(n, 6);
  std::vector<float> want = x;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<float> before = want;
    for (int i = 0; i < n; ++i) want[i] = 0.5F * (before[(i + 1) % n] + before[(i + n - 1) % n]);
  }
  DeviceArray<float> device_x(x), device_y(x);
  float* x_data = device_x.data();
  float* y_data = device_y.data();
  void* arguments[] = {&n, &rounds, &x_data, &y_data};
  check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(smooth), dim3(6), dim3(64),
                                    arguments, 0, nullptr));
  expect_close(device_y.values(), want, 1e-6);  // an odd number of rounds ends in y

  std::vector<double> sums_want(8, 0.0);
  for (int i = 0; i < 64; ++i) sums_want[i / 8] += x[i];
  DeviceArray<float> values(std::vector<float>(x.begin(), x.begin() + 64)), sums(8);
  tile_sums<<<1, 64>>>(values.data(), sums.data());
  check_launch();
  expect_close(sums.values(), sums_want, 1e-5);
}
