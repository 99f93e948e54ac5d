#pragma once
// How a stand-in for a CUDA library does its work: on a stream, in order with kernels and copies,
// seeing device memory only by checked reads and writes.

#include <driver_types.h>

#include <cstddef>
#include <functional>
#include <string>

namespace vgpu {

class DeviceAccess {
 public:
  virtual ~DeviceAccess() = default;
  // `from` and `to` are device addresses. A broken bound is reported and faults the device.
  virtual void read(void* to, const void* from, std::size_t bytes) = 0;
  virtual void write(void* to, const void* from, std::size_t bytes) = 0;
  // Reports an operand that is less aligned than the library's kernel needs, and faults the device.
  [[noreturn]] virtual void misaligned(const std::string& what) = 0;
};

}  // namespace vgpu

// Puts `run` into the stream, or into the graph that the stream captures, as a kernel called `name`
// would be.
extern "C" cudaError_t vgpuEnqueueLibraryCall(cudaStream_t stream, const char* name,
                                              std::function<void(vgpu::DeviceAccess&)> run);
