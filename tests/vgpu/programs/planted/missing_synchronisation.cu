// A result that is read before the stream that computes it was waited for; and one stream that
// reads what another writes, with no event between them.
#include "tests/vgpu/programs/planted/planted.cuh"

__global__ void fill(int value, int* x) { x[threadIdx.x] = value; }

__global__ void copy(const int* x, int* y) { y[threadIdx.x] = x[threadIdx.x]; }

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  cudaStream_t producer, consumer;
  cudaEvent_t filled;
  int* result = nullptr;
  check(cudaStreamCreateWithFlags(&producer, cudaStreamNonBlocking));
  check(cudaStreamCreateWithFlags(&consumer, cudaStreamNonBlocking));
  check(cudaEventCreateWithFlags(&filled, cudaEventDisableTiming));
  check(cudaMallocHost(reinterpret_cast<void**>(&result), 32 * sizeof(int)));
  DeviceArray<int> x(std::vector<int>(32, 1)), y(32);

  fill<<<1, 32, 0, producer>>>(2, x.data());
  check(cudaEventRecord(filled, producer));
  if (!bug) check(cudaStreamWaitEvent(consumer, filled));
  copy<<<1, 32, 0, consumer>>>(x.data(), y.data());
  check(cudaStreamSynchronize(consumer));
  const int between_streams = y.values()[0];

  result[0] = 0;
  check(cudaMemcpyAsync(result, x.data(), 32 * sizeof(int), cudaMemcpyDeviceToHost, producer));
  if (!bug) check(cudaStreamSynchronize(producer));
  const int read_by_host = result[0];

  check(cudaDeviceSynchronize());
  check(cudaFreeHost(result));
  check(cudaEventDestroy(filled));
  check(cudaStreamDestroy(producer));
  check(cudaStreamDestroy(consumer));
  std::printf("between streams %d, by the host %d\n", between_streams, read_by_host);
  expect(between_streams == 2 && read_by_host == 2, "2 in both places");
}
