#pragma once

#include <driver_types.h>

#include <cstddef>
#include <string_view>

namespace vgpu {

// How a runtime call ends other than by success.
struct ApiError {
  cudaError_t code;
};

// A fault of the device while it worked: every later call returns it, as on a real device.
struct DeviceFault {
  cudaError_t code;
};

[[noreturn]] inline void fail(cudaError_t code) { throw ApiError{code}; }

// One line on standard error.
void say(std::string_view message);

// The same with such a line, for what an error code alone leaves unclear.
[[noreturn]] void fail(cudaError_t code, std::string_view message);

inline void require(bool condition, cudaError_t code = cudaErrorInvalidValue) {
  if (!condition) fail(code);
}

// Sizes that a program gives: what they amount to must be a size, too.
inline std::size_t product(std::size_t a, std::size_t b) {
  std::size_t result = 0;
  require(!__builtin_mul_overflow(a, b, &result));
  return result;
}
inline std::size_t sum(std::size_t a, std::size_t b) {
  std::size_t result = 0;
  require(!__builtin_add_overflow(a, b, &result));
  return result;
}

}  // namespace vgpu
