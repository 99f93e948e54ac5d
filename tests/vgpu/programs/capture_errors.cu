// What may not be done while a stream captures, and how the capture ends then.
#include "tests/vgpu/programs/program.cuh"

__global__ void increment(int* x) { ++*x; }

// Captures nothing but what `spoil` does; returns how the capture ended.
template <typename Spoil>
cudaError_t end_of_capture(cudaStream_t stream, Spoil&& spoil) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  spoil();
  (void)cudaGetLastError();
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(stream, &graph);
  (void)cudaGetLastError();
  if (error == cudaSuccess) check(cudaGraphDestroy(graph));
  return error;
}

int main() {
  DeviceArray<int> x(std::vector<int>{0});
  cudaStream_t stream, other;
  cudaEvent_t event;
  check(cudaStreamCreate(&stream));
  check(cudaStreamCreate(&other));
  check(cudaEventCreate(&event));

  const cudaError_t waited = end_of_capture(stream, [&] {
    expect(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported, "no waiting");
  });
  expect(waited == cudaErrorStreamCaptureInvalidated, "waiting to spoil the capture");

  const cudaError_t legacy = end_of_capture(stream, [&] {
    increment<<<1, 1>>>(x.data());
    expect(cudaGetLastError() == cudaErrorStreamCaptureImplicit, "the legacy stream to be refused");
  });
  expect(legacy == cudaErrorStreamCaptureInvalidated, "the legacy stream to spoil the capture");

  const cudaError_t allocated = end_of_capture(stream, [&] {
    void* pointer = nullptr;
    expect(cudaMalloc(&pointer, 16) == cudaErrorStreamCaptureUnsupported, "no allocation");
  });
  expect(allocated == cudaErrorStreamCaptureInvalidated, "an allocation to spoil the capture");

  const cudaError_t unjoined = end_of_capture(stream, [&] {
    check(cudaEventRecord(event, stream));
    check(cudaStreamWaitEvent(other, event));
    increment<<<1, 1, 0, other>>>(x.data());
    check_launch();
  });
  expect(unjoined == cudaErrorStreamCaptureUnjoined, "a stream that does not come back to be seen");

  const cudaError_t good = end_of_capture(stream, [&] {
    increment<<<1, 1, 0, stream>>>(x.data());
    check_launch();
  });
  expect(good == cudaSuccess, "a capture after all this to succeed");
  expect(x.values()[0] == 0, "captured work not to run");
  expect(cudaEventQuery(event) == cudaErrorCapturedEvent, "a captured event not to be waited for");
  check(cudaEventDestroy(event));
  check(cudaStreamDestroy(stream));
  check(cudaStreamDestroy(other));
}
