#pragma once
// What a program sees once a kernel of its own has faulted. Nothing works after it, so each program
// can see one fault only.

#include "tests/vgpu/programs/program.cuh"

__global__ void nothing() {}

// The last error, `want`: seen by peeking, taken by getting, gone after that.
inline void expect_last_error(cudaError_t want, const char* what,
                              const std::source_location& at = std::source_location::current()) {
  expect(cudaPeekAtLastError() == want, what, at);
  expect(cudaGetLastError() == want, what, at);
  expect(cudaGetLastError() == cudaSuccess, "an error that was taken to be gone", at);
  expect(cudaPeekAtLastError() == cudaSuccess, "an error that was taken to stay gone", at);
}

// To be called when a kernel has been launched that faults with `fault`, before anything waits for
// it. The wait returns the fault, and so does every later call that needs the device; each of them
// makes it the last error anew.
inline void expect_fault(cudaError_t fault, void* memory) {
  expect_last_error(cudaSuccess, "the launch to be accepted");
  expect(cudaDeviceSynchronize() == fault, "the fault from the wait");
  expect_last_error(fault, "the fault as the last error");

  void* pointer = nullptr;
  expect(cudaMalloc(&pointer, 16) == fault, "the fault from cudaMalloc");
  expect_last_error(fault, "the fault as the last error, after cudaMalloc");
  nothing<<<1, 1>>>();
  expect_last_error(fault, "the fault from a launch");
  expect(cudaFree(memory) == fault, "the fault from cudaFree");
  expect(cudaStreamSynchronize(nullptr) == fault, "the fault from cudaStreamSynchronize");
  expect(cudaDeviceSynchronize() == fault, "the fault from another wait");
  cudaFuncAttributes attributes;
  expect(cudaFuncGetAttributes(&attributes, nothing) == fault,
         "the fault from cudaFuncGetAttributes");
  cudaEvent_t event = nullptr;
  expect(cudaEventCreate(&event) == fault, "the fault from cudaEventCreate");
  expect_last_error(fault, "the fault as the last error, after all these calls");

  // What only asks what there is still succeeds.
  int number = 0;
  cudaDeviceProp properties;
  check(cudaGetDeviceCount(&number));
  check(cudaGetDevice(&number));
  check(cudaGetDeviceProperties(&properties, 0));
  check(cudaDriverGetVersion(&number));
  expect_last_error(cudaSuccess, "no error from calls that succeeded");
}
