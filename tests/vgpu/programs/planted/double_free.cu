// Memory that is freed twice.
#include "tests/vgpu/programs/planted/planted.cuh"

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  void* pointer = nullptr;
  check(cudaMalloc(&pointer, 256));
  check(cudaFree(pointer));
  if (bug) {
    expect(cudaFree(pointer) == cudaErrorInvalidValue, "the second free to be refused");
    expect(cudaGetLastError() == cudaErrorInvalidValue, "it as the last error");
  }
}

__global__ void unused() {}  // without device code a program registers nothing
