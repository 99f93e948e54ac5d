#include <cuda_runtime_api.h>

#include <utility>

#include "tests/vgpu/runtime/error_text.h"
#include "tests/vgpu/runtime/runtime.h"

namespace {

// The error that the calling thread sees: a fault of the device comes before its own last error.
cudaError_t visible_error() {
  vgpu::Runtime& runtime = vgpu::Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  return runtime.device_error != cudaSuccess ? runtime.device_error : vgpu::last_error();
}

}  // namespace

extern "C" cudaError_t cudaPeekAtLastError() { return visible_error(); }

extern "C" cudaError_t cudaGetLastError() {
  const cudaError_t error = visible_error();
  vgpu::last_error() = cudaSuccess;
  return error;
}

extern "C" const char* cudaGetErrorName(cudaError_t error) { return vgpu::error_name(error); }

extern "C" const char* cudaGetErrorString(cudaError_t error) { return vgpu::error_text(error); }
