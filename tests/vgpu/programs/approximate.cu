// Counts the values of an approximate function that are not the correctly rounded ones: on a GPU
// some, and none may be outside of what PTX promises for it.
#include "tests/vgpu/programs/program.cuh"

__global__ void sines(const float* x, float* y) { y[threadIdx.x] = __sinf(x[threadIdx.x]); }

int main() {
  constexpr int n = 256;
  const std::vector<float> x = random_values(n, 6);
  std::vector<double> want;
  for (const float v : x) want.push_back(std::sin(static_cast<double>(v)));
  DeviceArray<float> device_x(x), y(n);
  sines<<<1, n>>>(device_x.data(), y.data());
  check_launch();
  const std::vector<float> got = y.values();
  expect_close(got, want, std::exp2(-20.5));
  int erring = 0;
  for (int i = 0; i < n; ++i) erring += got[i] != static_cast<float>(want[i]) ? 1 : 0;
  std::printf("erring: %d of %d\n", erring, n);
}
