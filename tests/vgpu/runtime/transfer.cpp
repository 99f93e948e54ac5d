#include "tests/vgpu/runtime/transfer.h"

#include <fmt/format.h>

#include <cstring>

#include "tests/vgpu/memory/pointer.h"
#include "tests/vgpu/runtime/runtime.h"

namespace vgpu {
namespace {

// Bytes from the first to the last that a box touches.
std::size_t extent(const Copy& copy, std::size_t pitch, std::size_t slice) {
  return sum(sum(product(copy.depth - 1, slice), product(copy.height - 1, pitch)), copy.width);
}

// Which side of the bus an end of a copy may be taken for.
struct Sides {
  bool host = false;
  bool device = false;
};

Sides sides(const Runtime& runtime, const void* pointer, std::size_t bytes) {
  const Address address = address_of(pointer);
  if (!runtime.memory.contains(address)) return {.host = true, .device = false};
  const std::optional<Allocation> allocation = runtime.memory.query(address);
  if (!allocation || allocation->bytes - (address - allocation->address) < bytes) {
    fail(cudaErrorInvalidValue, fmt::format("copy of {} bytes refused: {:#x} is {}", bytes, address,
                                            runtime.memory.describe(address)));
  }
  const bool shared =
      allocation->kind == MemoryKind::host_pinned || allocation->kind == MemoryKind::managed;
  return {.host = shared, .device = true};
}

}  // namespace

Copy linear_copy(void* to, const void* from, std::size_t bytes) {
  return pitched_copy(to, bytes, from, bytes, bytes, 1);
}

Copy pitched_copy(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                  std::size_t width, std::size_t height) {
  Copy copy;
  copy.to = to;
  copy.from = from;
  copy.width = width;
  copy.height = height;
  copy.to_pitch = to_pitch;
  copy.from_pitch = from_pitch;
  return copy;
}

bool is_pageable(const Runtime& runtime, const void* address) {
  return !runtime.memory.contains(address_of(address));
}

Copy checked_copy(const Runtime& runtime, Copy copy, cudaMemcpyKind kind) {
  if (copy.width == 0 || copy.height == 0 || copy.depth == 0) {
    copy.width = copy.height = copy.depth = 0;
    return copy;
  }
  require(copy.to != nullptr && copy.from != nullptr);
  if (copy.height > 1 || copy.depth > 1) {
    const auto holds_rows = [&copy](std::size_t pitch) {
      return pitch >= copy.width && pitch <= widest_pitch;
    };
    require(holds_rows(copy.to_pitch) && holds_rows(copy.from_pitch), cudaErrorInvalidPitchValue);
  }
  const Sides to = sides(runtime, copy.to, extent(copy, copy.to_pitch, copy.to_slice));
  const Sides from = sides(runtime, copy.from, extent(copy, copy.from_pitch, copy.from_slice));
  switch (kind) {
    case cudaMemcpyDefault:
      break;
    case cudaMemcpyHostToHost:
      require(to.host && from.host);
      break;
    case cudaMemcpyHostToDevice:
      require(to.device && from.host);
      break;
    case cudaMemcpyDeviceToHost:
      require(to.host && from.device);
      break;
    case cudaMemcpyDeviceToDevice:
      require(to.device && from.device);
      break;
    default:
      fail(cudaErrorInvalidMemcpyDirection);
  }
  return copy;
}

Fill checked_fill(const Runtime& runtime, Fill fill) {
  require(fill.element_bytes == 1 || fill.element_bytes == 2 || fill.element_bytes == 4);
  if (fill.width == 0 || fill.height == 0) {
    fill.width = fill.height = 0;
    return fill;
  }
  const std::size_t row_bytes = product(fill.width, fill.element_bytes);
  require(fill.height == 1 || (fill.pitch >= row_bytes && fill.pitch <= widest_pitch));
  const std::optional<Allocation> allocation = runtime.memory.query(fill.to);
  const std::size_t bytes = sum(product(fill.height - 1, fill.pitch), row_bytes);
  if (!allocation || allocation->bytes - (fill.to - allocation->address) < bytes) {
    fail(cudaErrorInvalidValue, fmt::format("memset of {} bytes refused: {:#x} is {}", bytes,
                                            fill.to, runtime.memory.describe(fill.to)));
  }
  return fill;
}

void settle_access(Runtime& runtime, const HostAccess& access, const char* call) {
  switch (access.status) {
    case AccessStatus::ok:
      return;
    case AccessStatus::uninitialised:
      if (runtime.settings.checks.init) {
        runtime.reports.add(ReportKind::uninitialised, fmt::format("{}: {}", call, access.message));
      }
      return;
    case AccessStatus::out_of_bounds:
      runtime.reports.add(ReportKind::out_of_bounds, fmt::format("{}: {}", call, access.message));
      break;
    case AccessStatus::freed:
      runtime.reports.add(ReportKind::use_after_free, fmt::format("{}: {}", call, access.message));
      break;
  }
  throw DeviceFault{cudaErrorIllegalAddress};
}

namespace {

void copy_row(Runtime& runtime, std::byte* to, const std::byte* from, std::size_t bytes) {
  const bool to_device = runtime.memory.contains(address_of(to));
  const bool from_device = runtime.memory.contains(address_of(from));
  HostAccess access;
  if (to_device && from_device) {
    access = runtime.memory.copy(address_of(to), address_of(from), bytes);
  } else if (to_device) {
    access = runtime.memory.write(address_of(to), from, bytes);
  } else if (from_device) {
    access = runtime.memory.read(to, address_of(from), bytes);
  } else {
    std::memmove(to, from, bytes);
  }
  settle_access(runtime, access, "copy");
}

}  // namespace

void transfer(Runtime& runtime, const Copy& copy) {
  auto* to = static_cast<std::byte*>(copy.to);
  const auto* from = static_cast<const std::byte*>(copy.from);
  for (std::size_t z = 0; z < copy.depth; ++z) {
    for (std::size_t y = 0; y < copy.height; ++y) {
      const std::byte* row = copy.staged != nullptr
                                 ? copy.staged->data() + (z * copy.height + y) * copy.width
                                 : from + z * copy.from_slice + y * copy.from_pitch;
      copy_row(runtime, to + z * copy.to_slice + y * copy.to_pitch, row, copy.width);
    }
  }
}

void transfer(Runtime& runtime, const Fill& fill) {
  std::vector<std::byte> row(fill.width * fill.element_bytes);
  for (std::size_t i = 0; i < fill.width; ++i) {  // little-endian: the value's low bytes
    std::memcpy(row.data() + i * fill.element_bytes, &fill.value, fill.element_bytes);
  }
  for (std::size_t y = 0; y < fill.height; ++y) {
    settle_access(runtime, runtime.memory.write(fill.to + y * fill.pitch, row.data(), row.size()),
                  "memset");
  }
}

}  // namespace vgpu
