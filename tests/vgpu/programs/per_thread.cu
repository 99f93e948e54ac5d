// Compiled with --default-stream per-thread: the stream 0 of each host thread is its own, so that
// waiting in one thread does not wait for the other's work, and their errors are apart.
#include <thread>

#include "tests/vgpu/programs/program.cuh"

__global__ void fill(int value, int* x) { x[threadIdx.x] = value; }

__global__ void twice(int* x) { x[threadIdx.x] *= 2; }

unsigned long long stream_id(cudaStream_t stream) {
  unsigned long long id = 0;
  check(cudaStreamGetId(stream, &id));
  return id;
}

void fill_and_check(int value) {
  expect(stream_id(nullptr) == stream_id(cudaStreamPerThread), "stream 0 to be the thread's own");
  expect(stream_id(nullptr) != stream_id(cudaStreamLegacy), "stream 0 not to be the legacy stream");
  int* x = nullptr;
  int result[32];
  check(cudaMallocAsync(reinterpret_cast<void**>(&x), sizeof result, nullptr));
  for (int round = 0; round < 20; ++round) {
    fill<<<1, 32>>>(value + round, x);
    check_launch();
    twice<<<1, 32>>>(x);
    check_launch();
    check(cudaMemcpyAsync(result, x, sizeof result, cudaMemcpyDeviceToHost, nullptr));
    check(cudaStreamSynchronize(nullptr));
    for (const int element : result) expect(element == 2 * (value + round), "this thread's value");
  }
  check(cudaFreeAsync(x, nullptr));
  check(cudaStreamSynchronize(nullptr));
}

int main() {
  fill<<<0, 32>>>(0, nullptr);  // leaves an error in this thread
  std::thread first(fill_and_check, 100);
  std::thread second(fill_and_check, 1000);
  first.join();
  second.join();
  expect(cudaGetLastError() == cudaErrorInvalidValue, "this thread's error to be still there");
}
