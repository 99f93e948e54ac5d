#include <cuda_runtime_api.h>

#include <utility>

#include "tests/vgpu/runtime/error_text.h"
#include "tests/vgpu/runtime/runtime.h"

// A fault of the device is no exception: it is taken like any error, and comes back with the next
// call that fails of it.
extern "C" cudaError_t cudaPeekAtLastError() { return vgpu::last_error(); }

extern "C" cudaError_t cudaGetLastError() { return std::exchange(vgpu::last_error(), cudaSuccess); }

extern "C" const char* cudaGetErrorName(cudaError_t error) { return vgpu::error_name(error); }

extern "C" const char* cudaGetErrorString(cudaError_t error) { return vgpu::error_text(error); }
