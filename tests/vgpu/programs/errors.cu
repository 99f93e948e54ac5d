// What calls return that cannot be done, and that a good call after them succeeds.
#include "tests/vgpu/programs/program.cuh"

__global__ void nothing() {}

__global__ void touch_shared(int* y) {
  extern __shared__ int shared[];
  shared[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = shared[threadIdx.x];
}

__global__ void __launch_bounds__(64) small_blocks(int* y) { y[threadIdx.x] = 1; }

// The error of a launch: seen by peeking, taken by getting, gone after that.
void expect_launch_error(cudaError_t want, const char* what,
                         const std::source_location& at = std::source_location::current()) {
  expect(cudaPeekAtLastError() == want, what, at);
  expect(cudaGetLastError() == want, what, at);
  expect(cudaGetLastError() == cudaSuccess, "an error that does not stick", at);
}

void test_launches() {
  nothing<<<0, 32>>>();
  expect_launch_error(cudaErrorInvalidValue, "a grid of 0 blocks to be refused");
  nothing<<<dim3(3, 0), 32>>>();
  expect_launch_error(cudaErrorInvalidValue, "a grid of 3 by 0 blocks to be refused");
  nothing<<<1, 0>>>();
  expect_launch_error(cudaErrorInvalidValue, "a block of 0 threads to be refused");
  nothing<<<1, 1025>>>();
  expect_launch_error(cudaErrorInvalidValue, "1,025 threads to be refused");
  nothing<<<dim3(1, 65536), 32>>>();
  expect_launch_error(cudaErrorInvalidValue, "65,536 blocks in y to be refused");
  nothing<<<1, dim3(1, 1, 65)>>>();
  expect_launch_error(cudaErrorInvalidValue, "65 threads in z to be refused");
  nothing<<<dim3(3, 65535), 32>>>();
  expect_launch_error(cudaSuccess, "65,535 blocks in y to be accepted");
  DeviceArray<int> y(1024);
  small_blocks<<<1, 65>>>(y.data());
  expect_launch_error(cudaErrorInvalidValue, "more threads than the launch bounds say");
}

// The same by the calls that <<<>>> stands for, which return the error as well.
void test_launch_calls() {
  cudaLaunchConfig_t config{};
  config.gridDim = 0;
  config.blockDim = 32;
  expect(cudaLaunchKernelEx(&config, nothing) == cudaErrorInvalidValue,
         "a configuration of 0 blocks to be refused");
  expect_launch_error(cudaErrorInvalidValue, "it as the last error");
  const auto* function = reinterpret_cast<const void*>(nothing);
  expect(cudaLaunchKernel(function, 0, 32, nullptr, 0, nullptr) == cudaErrorInvalidValue,
         "a call with 0 blocks to be refused");
  expect_launch_error(cudaErrorInvalidValue, "it as the last error");
  expect(cudaLaunchCooperativeKernel(function, 0, 32, nullptr, 0, nullptr) == cudaErrorInvalidValue,
         "a cooperative launch of 0 blocks to be refused");
  expect_launch_error(cudaErrorInvalidValue, "it as the last error");
  expect(cudaLaunchCooperativeKernel(function, 100000, 32, nullptr, 0, nullptr) ==
             cudaErrorCooperativeLaunchTooLarge,
         "a cooperative launch of 100,000 blocks to be refused");
  expect_launch_error(cudaErrorCooperativeLaunchTooLarge, "it as the last error");
}

void test_shared_memory() {
  DeviceArray<int> y(1024);
  touch_shared<<<1, 32, 48 * 1024>>>(y.data());
  expect_launch_error(cudaSuccess, "48 KiB to be accepted");
  touch_shared<<<1, 32, 48 * 1024 + 16>>>(y.data());
  expect_launch_error(cudaErrorInvalidValue, "more than 48 KiB to be refused without opting in");
  check(cudaFuncSetAttribute(touch_shared, cudaFuncAttributeMaxDynamicSharedMemorySize, 64 * 1024));
  touch_shared<<<1, 32, 64 * 1024>>>(y.data());
  expect_launch_error(cudaSuccess, "what was opted in to");
  touch_shared<<<1, 32, 64 * 1024 + 16>>>(y.data());
  expect_launch_error(cudaErrorInvalidValue, "more than was opted in to");
  expect(cudaFuncSetAttribute(touch_shared, cudaFuncAttributeMaxDynamicSharedMemorySize,
                              228 * 1024) == cudaErrorInvalidValue,
         "more than the device has to be refused");
  expect_launch_error(cudaErrorInvalidValue, "the refusal to be the last error");
  check(cudaDeviceSynchronize());
}

void test_memory() {
  void* pointer = nullptr;
  expect(cudaMalloc(&pointer, std::size_t{1} << 60) == cudaErrorMemoryAllocation,
         "2^60 bytes not to be there");
  expect_launch_error(cudaErrorMemoryAllocation, "the failed allocation to be the last error");
  check(cudaFree(nullptr));
  check(cudaMalloc(&pointer, 64));
  int host[256] = {};
  expect(cudaMemcpy(pointer, host, 65, cudaMemcpyHostToDevice) == cudaErrorInvalidValue,
         "a copy past the end to be refused");
  expect(cudaMemcpy(pointer, host, 1024, cudaMemcpyHostToDevice) == cudaErrorInvalidValue,
         "a copy far past the end to be refused");
  expect_launch_error(cudaErrorInvalidValue, "the refused copy to be the last error");
  expect(cudaMemcpy(pointer, host, 64, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue,
         "a wrong direction to be refused");
  expect(cudaMemset(pointer, 0, 65) == cudaErrorInvalidValue, "a fill past the end to be refused");
  expect(cudaMemset(pointer, 0, std::size_t{1} << 40) == cudaErrorInvalidValue,
         "a fill of 2^40 bytes to be refused");
  expect_launch_error(cudaErrorInvalidValue, "the refused fill to be the last error");
  expect(cudaFree(host) == cudaErrorInvalidValue, "memory of the host not to be freed");
  expect(
      cudaMemcpy2D(pointer, 2, host, 4, 4, 2, cudaMemcpyHostToDevice) == cudaErrorInvalidPitchValue,
      "a pitch below the width to be refused");
  // Sizes whose product is none.
  constexpr std::size_t half = std::size_t{1} << 63;
  expect(cudaMemset2D(pointer, half, 0, 1, 3) != cudaSuccess, "a pitch of 2^63 to be refused");
  expect(cudaMemcpy2D(pointer, half, host, half, 1, 3, cudaMemcpyHostToDevice) != cudaSuccess,
         "pitches of 2^63 to be refused");
  std::size_t pitch = 0;
  void* pitched = nullptr;
  expect(cudaMallocPitch(&pitched, &pitch, ~std::size_t{0}, 1) != cudaSuccess,
         "rows of 2^64 - 1 bytes to be refused");
  // Two bytes, and the widest pitch between them.
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0));
  const std::size_t widest = properties.memPitch;
  expect(cudaMallocPitch(&pitched, &pitch, widest + 1, 1) != cudaSuccess,
         "rows above the widest pitch to be refused");
  check(cudaMalloc(&pitched, 4 * widest));
  check(cudaMemset2D(pitched, widest, 0, 1, 2));
  check(cudaMemcpy2D(host, 1, pitched, widest, 1, 2, cudaMemcpyDeviceToHost));
  expect(cudaMemset2D(pitched, widest + 1, 0, 1, 2) != cudaSuccess,
         "a fill above the widest pitch to be refused");
  expect(cudaMemcpy2D(host, 1, pitched, widest + 1, 1, 2, cudaMemcpyDeviceToHost) ==
             cudaErrorInvalidPitchValue,
         "a copy above the widest pitch to be refused");
  check(cudaFree(pitched));
  check(cudaMemcpy(pointer, host, 64, cudaMemcpyDefault));
  check(cudaFree(pointer));
  (void)cudaGetLastError();
}

int main() {
  test_launches();
  test_launch_calls();
  test_shared_memory();
  test_memory();
}
