// y = a x + y: the smallest program that does something.
#include "tests/vgpu/programs/program.cuh"

__global__ void saxpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

int main() {
  for (const int n : {1, 31, 32, 33, 255, 257, 10000}) {
    const std::vector<float> x = random_values(n, 1);
    const std::vector<float> y = random_values(n, 2);
    DeviceArray<float> device_x(x), device_y(y);
    saxpy<<<blocks_for(n, 128), 128>>>(n, 2.5F, device_x.data(), device_y.data());
    check_launch();
    std::vector<float> want(n);
    for (int i = 0; i < n; ++i) want[i] = std::fma(2.5F, x[i], y[i]);
    expect_close(device_y.values(), want, 1e-6);
  }
}
