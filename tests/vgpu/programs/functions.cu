// Mathematical functions in float and double, integers of all widths, a function that is not
// inlined and one that is called through a pointer.
#include <cstdint>

#include "tests/vgpu/programs/program.cuh"

__global__ void functions(int n, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const float v = x[i];
  y[i * 5] = expf(v);
  y[i * 5 + 1] = tanhf(v);
  y[i * 5 + 2] = sqrtf(fabsf(v));
  y[i * 5 + 3] = logf(1.5F + v);
  y[i * 5 + 4] = 1.0F / (1.0F + __expf(-v));
}

__global__ void doubles(int n, const double* x, double* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = sqrt(x[i] * x[i] + 1.0) / (2.0 + x[i]) + fma(x[i], x[i], -0.25) + exp(x[i]);
}

__device__ __noinline__ std::int64_t mix(std::int64_t a, std::int32_t b) {
  return (a * 6364136223846793005LL + b) ^ (a >> 17);
}

__device__ std::int64_t add(std::int64_t a, std::int32_t b) { return a + b; }

using Combine = std::int64_t (*)(std::int64_t, std::int32_t);
__device__ Combine combine_table[2] = {mix, add};

__global__ void integers(int n, std::int64_t* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  std::int64_t value = i;
  for (int round = 0; round < 4; ++round) value = combine_table[(i + round) % 2](value, round);
  const auto narrow = static_cast<std::int8_t>(value);
  const auto wide = static_cast<std::uint16_t>(value >> 8);
  y[i] = value + narrow / 3 + wide % 7 + __clzll(value) + __mul64hi(value, value);
}

std::int64_t host_mix(std::int64_t a, std::int32_t b) {
  const auto product = static_cast<std::uint64_t>(a) * 6364136223846793005ULL;
  return static_cast<std::int64_t>(product + static_cast<std::uint64_t>(b)) ^ (a >> 17);
}

std::int64_t host_integer(int i) {
  std::int64_t value = i;
  for (int round = 0; round < 4; ++round) {
    value = (i + round) % 2 == 0 ? host_mix(value, round) : value + round;
  }
  const auto narrow = static_cast<std::int8_t>(value);
  const auto wide = static_cast<std::uint16_t>(value >> 8);
  const int leading = value == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(value));
  const auto high = static_cast<std::int64_t>((static_cast<__int128>(value) * value) >> 64);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(value) + narrow / 3 + wide % 7 +
                                   leading + high);
}

int main() {
  constexpr int n = 100;
  const std::vector<float> x = random_values(n, 4);
  std::vector<double> want;
  for (const float v : x) {
    want.insert(want.end(), {std::exp(v), std::tanh(v), std::sqrt(std::fabs(v)), std::log(1.5F + v),
                             1.0 / (1.0 + std::exp(-static_cast<double>(v)))});
  }
  DeviceArray<float> device_x(x), y(5 * n);
  functions<<<blocks_for(n, 64), 64>>>(n, device_x.data(), y.data());
  check_launch();
  expect_close(y.values(), want, 1e-6);

  std::vector<double> inputs(x.begin(), x.end());
  std::vector<double> doubles_want;
  for (const double v : inputs) {
    doubles_want.push_back(std::sqrt(v * v + 1.0) / (2.0 + v) + std::fma(v, v, -0.25) +
                           std::exp(v));
  }
  DeviceArray<double> device_inputs(inputs), device_doubles(n);
  doubles<<<blocks_for(n, 64), 64>>>(n, device_inputs.data(), device_doubles.data());
  check_launch();
  expect_close(device_doubles.values(), doubles_want, 1e-14);

  DeviceArray<std::int64_t> device_integers(n);
  integers<<<blocks_for(n, 32), 32>>>(n, device_integers.data());
  check_launch();
  const std::vector<std::int64_t> got = device_integers.values();
  for (int i = 0; i < n; ++i) expect(got[i] == host_integer(i), "the host's integers");
}
