#pragma once

#include <driver_types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tests/vgpu/device.h"

struct CUkern_st;

namespace vgpu {

class Runtime;
class DeviceAccess;

// Nothing to do: a point that other work is ordered by.
struct Marker {};

struct KernelLaunch {
  const CUkern_st* kernel = nullptr;
  Launch launch;
};

// A box of bytes between two pitched pieces of memory, host or device.
struct Copy {
  void* to = nullptr;
  const void* from = nullptr;
  std::size_t width = 0;  // bytes of a row
  std::size_t height = 1;
  std::size_t depth = 1;
  std::size_t to_pitch = 0, from_pitch = 0;        // bytes from row to row
  std::size_t to_slice = 0, from_slice = 0;        // bytes from slice to slice
  std::shared_ptr<std::vector<std::byte>> staged;  // `from` was copied here at the call, packed
};

struct Fill {
  Address to = 0;
  unsigned int value = 0;
  std::size_t element_bytes = 1;  // 1, 2 or 4
  std::size_t width = 0;          // elements of a row
  std::size_t height = 1;
  std::size_t pitch = 0;  // bytes from row to row
};

struct HostFunction {
  std::function<void()> run;
};

// What a stand-in library, such as cuBLAS's, does on the device.
struct LibraryCall {
  std::string name;
  std::function<void(DeviceAccess&)> run;
};

struct Release {
  Address address = 0;
};

using Operation =
    std::variant<Marker, KernelLaunch, Copy, Fill, HostFunction, LibraryCall, Release>;

// Does it, now. Throws DeviceFault.
void execute(Runtime& runtime, const Operation& operation);

}  // namespace vgpu
