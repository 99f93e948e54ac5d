// Streams, events and host functions in the orders that a program may rely on, with pinned,
// managed, pitched and stream-ordered memory.
#include "tests/vgpu/programs/program.cuh"

__global__ void fill(int n, int value, int* x) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) x[i] = value;
}

__global__ void twice(int n, int* x) {
  for (int i = threadIdx.x; i < n; i += blockDim.x) x[i] *= 2;
}

// Events order work of streams that do not wait for one another otherwise.
void test_events() {
  constexpr int n = 256;
  cudaStream_t first, second;
  cudaEvent_t filled;
  check(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
  check(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
  check(cudaEventCreateWithFlags(&filled, cudaEventDisableTiming));
  int* pinned = nullptr;
  check(cudaMallocHost(reinterpret_cast<void**>(&pinned), n * sizeof(int)));
  DeviceArray<int> x(n);
  fill<<<1, 64, 0, first>>>(n, 21, x.data());
  check(cudaEventRecord(filled, first));
  check(cudaStreamWaitEvent(second, filled));
  twice<<<1, 64, 0, second>>>(n, x.data());
  check(cudaMemcpyAsync(pinned, x.data(), n * sizeof(int), cudaMemcpyDeviceToHost, second));
  while (cudaStreamQuery(second) == cudaErrorNotReady) {
  }
  (void)cudaGetLastError();  // "not ready" counts as an error
  expect(pinned[0] == 42 && pinned[n - 1] == 42, "the second stream after the first");
  check(cudaFreeHost(pinned));
  check(cudaEventDestroy(filled));
  check(cudaStreamDestroy(first));
  check(cudaStreamDestroy(second));
}

// The legacy stream comes after, and before, the work of blocking streams.
void test_legacy_stream() {
  constexpr int n = 64;
  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  DeviceArray<int> x(n);
  fill<<<1, 64, 0, stream>>>(n, 5, x.data());
  twice<<<1, 64>>>(n, x.data());
  twice<<<1, 64, 0, stream>>>(n, x.data());
  check(cudaStreamSynchronize(stream));
  expect(x.values()[7] == 20, "three kernels in order");

  // Read back in a stream that waits for nothing, so that only the order above counts.
  cudaStream_t aside;
  check(cudaStreamCreateWithFlags(&aside, cudaStreamNonBlocking));
  int result[n];
  fill<<<1, 64>>>(n, 7, x.data());
  twice<<<1, 64, 0, stream>>>(n, x.data());
  check(cudaStreamSynchronize(stream));
  check(cudaMemcpyAsync(result, x.data(), sizeof result, cudaMemcpyDeviceToHost, aside));
  check(cudaStreamSynchronize(aside));
  expect(result[7] == 14, "a blocking stream after the legacy stream");
  check(cudaStreamDestroy(aside));
  check(cudaStreamDestroy(stream));
}

void test_host_function() {
  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  cudaError_t inside = cudaSuccess;  // what a call in a host function returns
  const auto call = [](void* error) {
    *static_cast<cudaError_t*>(error) = cudaDeviceSynchronize();
  };
  check(cudaLaunchHostFunc(stream, call, &inside));
  check(cudaStreamSynchronize(stream));
  expect(inside == cudaErrorNotPermitted, "the call of a host function to be refused");
  (void)cudaGetLastError();
  check(cudaStreamDestroy(stream));
}

void test_pitched() {
  constexpr std::size_t width = 5;
  constexpr std::size_t height = 4;
  int* device = nullptr;
  std::size_t pitch = 0;
  check(cudaMallocPitch(reinterpret_cast<void**>(&device), &pitch, width * sizeof(int), height));
  expect(pitch % 256 == 0 && pitch >= width * sizeof(int), "an aligned pitch");
  std::vector<int> values(width * height);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int>(i);
  check(cudaMemset2D(device, pitch, 0xff, width * sizeof(int), height));
  check(cudaMemcpy2D(device, pitch, values.data(), width * sizeof(int), 3 * sizeof(int), height,
                     cudaMemcpyHostToDevice));
  std::vector<int> back(width * height);
  check(cudaMemcpy2D(back.data(), width * sizeof(int), device, pitch, width * sizeof(int), height,
                     cudaMemcpyDeviceToHost));
  for (std::size_t i = 0; i < back.size(); ++i) {
    expect(back[i] == (i % width < 3 ? values[i] : -1), "three columns copied, two of -1");
  }
  check(cudaFree(device));
}

void test_managed_and_ordered() {
  int* managed = nullptr;
  check(cudaMallocManaged(reinterpret_cast<void**>(&managed), 32 * sizeof(int)));
  for (int i = 0; i < 32; ++i) managed[i] = i;
  twice<<<1, 32>>>(32, managed);
  check(cudaDeviceSynchronize());
  expect(managed[31] == 62, "managed memory written by the device");
  check(cudaFree(managed));

  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  int* ordered = nullptr;
  int result[32];
  check(cudaMallocAsync(reinterpret_cast<void**>(&ordered), sizeof result, stream));
  fill<<<1, 32, 0, stream>>>(32, 9, ordered);
  check(cudaMemcpyAsync(result, ordered, sizeof result, cudaMemcpyDeviceToHost, stream));
  check(cudaFreeAsync(ordered, stream));
  check(cudaStreamSynchronize(stream));
  expect(result[0] == 9 && result[31] == 9, "stream-ordered memory");
  check(cudaStreamDestroy(stream));
}

int main() {
  test_events();
  test_legacy_stream();
  test_host_function();
  test_pitched();
  test_managed_and_ordered();
}
