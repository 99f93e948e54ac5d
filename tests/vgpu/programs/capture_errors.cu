// What may not be done while a stream captures, how the capture ends then, and what becomes of
// events that were recorded in it.
#include "tests/vgpu/programs/program.cuh"

__global__ void increment(int* x) { ++*x; }

// Captures nothing but what `body` does; returns how the capture ended.
template <typename Body>
cudaError_t end_of_capture(cudaStream_t stream, Body&& body,
                           cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal) {
  check(cudaStreamBeginCapture(stream, mode));
  body();
  (void)cudaGetLastError();
  cudaGraph_t graph = nullptr;
  const cudaError_t error = cudaStreamEndCapture(stream, &graph);
  expect(cudaGetLastError() == error, "how the capture ended as the last error");
  if (error == cudaSuccess) check(cudaGraphDestroy(graph));
  return error;
}

// What is done in a capture that cannot end well after it.
template <typename Spoil>
void expect_spoiled(cudaStream_t stream, const char* what, Spoil&& spoil,
                    const std::source_location& at = std::source_location::current()) {
  expect(end_of_capture(stream, spoil) == cudaErrorStreamCaptureInvalidated, what, at);
}

void test_calls(cudaStream_t stream, int* x) {
  expect_spoiled(stream, "waiting to spoil the capture", [&] {
    expect(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported, "no waiting");
    expect(cudaPeekAtLastError() == cudaErrorStreamCaptureUnsupported, "it as the last error");
  });
  expect_spoiled(stream, "waiting for the device to spoil the capture", [&] {
    expect(cudaDeviceSynchronize() == cudaErrorStreamCaptureUnsupported,
           "no waiting for the device");
  });
  expect_spoiled(stream, "the legacy stream to spoil the capture", [&] {
    increment<<<1, 1>>>(x);
    expect(cudaGetLastError() == cudaErrorStreamCaptureImplicit, "the legacy stream to be refused");
  });
  expect_spoiled(stream, "a copy in the legacy stream to spoil the capture", [&] {
    int value = 0;
    expect(cudaMemcpy(&value, x, sizeof value, cudaMemcpyDeviceToHost) ==
               cudaErrorStreamCaptureImplicit,
           "a copy in the legacy stream to be refused");
  });
  expect_spoiled(stream, "an allocation to spoil the capture", [&] {
    void* pointer = nullptr;
    expect(cudaMalloc(&pointer, 16) == cudaErrorStreamCaptureUnsupported, "no allocation");
  });
  expect_spoiled(stream, "a launch that is refused to spoil the capture", [&] {
    increment<<<0, 1, 0, stream>>>(x);
    expect(cudaGetLastError() == cudaErrorInvalidValue, "a grid of 0 blocks to be refused");
  });

  void* pointer = nullptr;
  const cudaError_t relaxed = end_of_capture(
      stream, [&] { check(cudaMalloc(&pointer, 16)); }, cudaStreamCaptureModeRelaxed);
  expect(relaxed == cudaSuccess, "an allocation to be permitted in a relaxed capture");
  check(cudaFree(pointer));
}

// An event of a capture cannot be waited for, in it or later, until it is recorded outside.
void test_events(cudaStream_t stream, int* x) {
  cudaStream_t other;
  cudaEvent_t event;
  check(cudaStreamCreate(&other));
  check(cudaEventCreate(&event));

  const cudaError_t unjoined = end_of_capture(stream, [&] {
    check(cudaEventRecord(event, stream));
    check(cudaStreamWaitEvent(other, event));
    increment<<<1, 1, 0, other>>>(x);
    check_launch();
  });
  expect(unjoined == cudaErrorStreamCaptureUnjoined, "a stream that does not come back to be seen");
  expect(cudaEventQuery(event) == cudaErrorInvalidValue, "no query after a capture that failed");
  expect(cudaEventSynchronize(event) == cudaErrorInvalidValue, "no wait after it");
  expect(cudaGetLastError() == cudaErrorInvalidValue, "it as the last error");

  expect_spoiled(stream, "a query to spoil the capture", [&] {
    check(cudaEventRecord(event, stream));
    expect(cudaEventQuery(event) == cudaErrorCapturedEvent, "no query in the capture");
  });
  expect_spoiled(stream, "waiting for an event to spoil the capture", [&] {
    check(cudaEventRecord(event, stream));
    expect(cudaEventSynchronize(event) == cudaErrorCapturedEvent, "no wait in the capture");
  });

  const cudaError_t recorded =
      end_of_capture(stream, [&] { check(cudaEventRecord(event, stream)); });
  expect(recorded == cudaSuccess, "a capture of an event to succeed");
  expect(cudaEventQuery(event) == cudaErrorInvalidValue, "no query after a capture");
  expect(cudaEventSynchronize(event) == cudaErrorInvalidValue, "no wait after a capture");
  expect(cudaGetLastError() == cudaErrorInvalidValue, "it as the last error");
  check(cudaEventRecord(event, stream));
  check(cudaEventSynchronize(event));
  check(cudaEventQuery(event));

  check(cudaEventDestroy(event));
  check(cudaStreamDestroy(other));
}

int main() {
  DeviceArray<int> x(std::vector<int>{0});
  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  test_calls(stream, x.data());
  test_events(stream, x.data());

  const cudaError_t good = end_of_capture(stream, [&] {
    increment<<<1, 1, 0, stream>>>(x.data());
    check_launch();
  });
  expect(good == cudaSuccess, "a capture after all this to succeed");
  expect(x.values()[0] == 0, "captured work not to run");

  cudaGraph_t graph = nullptr;
  expect(cudaStreamEndCapture(stream, nullptr) == cudaErrorIllegalState, "no capture to end");
  expect(cudaStreamEndCapture(stream, &graph) == cudaErrorIllegalState, "still none");
  expect(cudaGetLastError() == cudaErrorIllegalState, "it as the last error");
  check(cudaStreamDestroy(stream));
}
