// Variables of the device: __constant__ and __device__ with and without initialiser, __managed__,
// copies to and from symbols.
#include "tests/vgpu/programs/program.cuh"

__constant__ float coefficients[4] = {1.0F, -2.0F, 3.0F, 0.5F};
__device__ int calls = 40;
static __device__ double totals[8];
__managed__ int limit = 5;

__global__ void polynomial(const float* x, float* y) {
  const float v = x[threadIdx.x];
  y[threadIdx.x] =
      coefficients[0] + v * (coefficients[1] + v * (coefficients[2] + v * coefficients[3]));
  if (threadIdx.x < 8) totals[threadIdx.x] += threadIdx.x;
  if (threadIdx.x == 0) ++calls;
  if (threadIdx.x == 1) limit *= 2;
}

std::vector<double> evaluate(const float (&c)[4], const std::vector<float>& x) {
  std::vector<double> y;
  for (const double v : x) y.push_back(c[0] + v * (c[1] + v * (c[2] + v * c[3])));
  return y;
}

int main() {
  const std::vector<float> x = random_values(32, 5);
  DeviceArray<float> device_x(x), y(32);
  limit += 1;
  polynomial<<<1, 32>>>(device_x.data(), y.data());
  check_launch();
  expect_close(y.values(), evaluate({1.0F, -2.0F, 3.0F, 0.5F}, x), 1e-5);

  const float changed[2] = {7.0F, 8.0F};
  check(cudaMemcpyToSymbol(coefficients, changed, sizeof changed, sizeof(float)));
  polynomial<<<1, 32>>>(device_x.data(), y.data());
  check_launch();
  expect_close(y.values(), evaluate({1.0F, 7.0F, 8.0F, 0.5F}, x), 1e-5);

  int called = 0;
  check(cudaMemcpyFromSymbol(&called, calls, sizeof called));
  expect(called == 42, "two calls after 40");
  expect(limit == 24, "a managed variable that host and device both changed");

  void* address = nullptr;
  std::size_t size = 0;
  check(cudaGetSymbolAddress(&address, totals));
  check(cudaGetSymbolSize(&size, totals));
  expect(size == 8 * sizeof(double), "the size of eight doubles");
  std::vector<double> sums(8);
  check(cudaMemcpy(sums.data(), address, size, cudaMemcpyDeviceToHost));
  for (int i = 0; i < 8; ++i) expect(sums[i] == 2 * i, "two additions to zero");
}
