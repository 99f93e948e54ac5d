#pragma once

#include <cuda_runtime_api.h>

namespace siamese::cuda {

/// Throws Failure with one line - the call, the error's name and text, file and line - unless
/// `code` is cudaSuccess. The runtime's record of the error is cleared, so that the next good call
/// is not blamed for it.
void check(cudaError_t code, const char* call, const char* file, int line);

/// The same for destructors and other places that must not throw: the line goes to standard error.
void report(cudaError_t code, const char* call, const char* file, int line) noexcept;

}  // namespace siamese::cuda

// Macros, for only they know the text and the place of the call.
#define SIAMESE_CHECK_CUDA(call) ::siamese::cuda::check((call), #call, __FILE__, __LINE__)
#define SIAMESE_REPORT_CUDA(call) ::siamese::cuda::report((call), #call, __FILE__, __LINE__)

/// Stands right after every <<<...>>>, where a launch that was refused is reported by its kernel.
#define SIAMESE_CHECK_LAUNCH(kernel) \
  ::siamese::cuda::check(cudaGetLastError(), "launch of " kernel, __FILE__, __LINE__)
