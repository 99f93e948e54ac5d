// Calls that the virtual GPU does not do: each is refused by name, and a good call after it works.
// (A real device does them: this program is for the virtual GPU alone.)
#include "tests/vgpu/programs/program.cuh"

__global__ void nothing() {}

int main() {
  void* entry = nullptr;
  cudaDriverEntryPointQueryResult found;
  expect(cudaGetDriverEntryPointByVersion("cuInit", &entry, 12000, cudaEnableDefault, &found) ==
             cudaErrorNotSupported,
         "entry points of the driver to be refused");
  expect(cudaGetLastError() == cudaErrorNotSupported, "the refusal to be the last error");

  cudaArray_t array = nullptr;
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<float>();
  expect(cudaMallocArray(&array, &format, 16, 16) == cudaErrorNotSupported, "arrays to be refused");

  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  check(cudaEventRecord(begin));
  check(cudaEventRecord(end));
  check(cudaEventSynchronize(end));
  float milliseconds = -1;
  expect(
      cudaEventElapsedTime(&milliseconds, begin, end) == cudaErrorNotSupported && milliseconds < 0,
      "no time to be invented");
  check(cudaEventDestroy(begin));
  check(cudaEventDestroy(end));
  (void)cudaGetLastError();

  nothing<<<1, 1>>>();
  check_launch();
  check(cudaDeviceSynchronize());
}
