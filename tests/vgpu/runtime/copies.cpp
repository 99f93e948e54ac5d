#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>
#include <utility>

#include "tests/vgpu/memory/pointer.h"
#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/transfer.h"

namespace vgpu {
namespace {

// A copy that has to be done when the call returns, where host memory takes part. One inside the
// device is only queued, as on a real device.
void copy_now(Runtime& runtime, cudaStream_t handle, Copy copy, cudaMemcpyKind kind) {
  CUstream_st& stream = runtime.streams.find(handle);
  copy = checked_copy(runtime, std::move(copy), kind);
  if (&stream == &runtime.streams.legacy()) refuse_implicit_dependency(runtime);
  refuse_unsafe_call(runtime);
  const auto on_device = [&](const void* end) {
    const auto allocation = runtime.memory.query(address_of(end));
    return allocation && allocation->kind != MemoryKind::host_pinned;
  };
  const bool wait = !on_device(copy.to) || !on_device(copy.from);
  enqueue(runtime, stream, std::move(copy));
  if (wait) runtime.queue.finish(stream.tail);
}

// The rows of a copy's source, packed.
std::shared_ptr<std::vector<std::byte>> stage(const Copy& copy) {
  auto staged = std::make_shared<std::vector<std::byte>>(copy.width * copy.height * copy.depth);
  const auto* from = static_cast<const std::byte*>(copy.from);
  std::byte* to = staged->data();
  for (std::size_t z = 0; z < copy.depth; ++z) {
    for (std::size_t y = 0; y < copy.height; ++y, to += copy.width) {
      std::memcpy(to, from + z * copy.from_slice + y * copy.from_pitch, copy.width);
    }
  }
  return staged;
}

// A copy that the stream does in its turn. A source in pageable memory is staged at the call, as a
// driver does, so the program may change it; a graph reads it whenever it is launched.
void copy_later(Runtime& runtime, cudaStream_t handle, Copy copy, cudaMemcpyKind kind) {
  CUstream_st& stream = runtime.streams.find(handle);
  copy = checked_copy(runtime, std::move(copy), kind);
  if (stream.capture == nullptr && copy.width > 0 && is_pageable(runtime, copy.from)) {
    copy.staged = stage(copy);
  }
  enqueue(runtime, stream, std::move(copy));
}

void fill(Runtime& runtime, cudaStream_t stream, void* to, int value, std::size_t pitch,
          std::size_t width, std::size_t height) {
  Fill fill;
  fill.to = address_of(to);
  fill.value = static_cast<unsigned char>(value);
  fill.width = width;
  fill.height = height;
  fill.pitch = pitch;
  enqueue(runtime, runtime.streams.find(stream), checked_fill(runtime, fill));
}

// Where a part of a device variable lies.
std::byte* symbol_part(Runtime& runtime, const void* symbol, std::size_t offset,
                       std::size_t bytes) {
  const VariableInfo& variable = runtime.registry.variable(runtime, symbol);
  require(offset <= variable.bytes && bytes <= variable.bytes - offset);
  return static_cast<std::byte*>(pointer_to(variable.address + offset));
}

Copy box(const cudaMemcpy3DParms* parameters) {
  require(parameters != nullptr);
  if (parameters->srcArray != nullptr || parameters->dstArray != nullptr) {
    fail(cudaErrorNotSupported, "cudaMemcpy3D with arrays is not supported");
  }
  const auto slice = [](const cudaPitchedPtr& p) { return p.pitch * p.ysize; };
  const auto origin = [&](const cudaPitchedPtr& p, const cudaPos& at) {
    return static_cast<std::byte*>(p.ptr) + at.z * slice(p) + at.y * p.pitch + at.x;
  };
  Copy copy;
  copy.to = origin(parameters->dstPtr, parameters->dstPos);
  copy.from = origin(parameters->srcPtr, parameters->srcPos);
  copy.width = parameters->extent.width;
  copy.height = parameters->extent.height;
  copy.depth = parameters->extent.depth;
  copy.to_pitch = parameters->dstPtr.pitch;
  copy.from_pitch = parameters->srcPtr.pitch;
  copy.to_slice = slice(parameters->dstPtr);
  copy.from_slice = slice(parameters->srcPtr);
  return copy;
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes,
                                  cudaMemcpyKind kind) {
  return api_call([&](Runtime& runtime) {
    vgpu::copy_now(runtime, nullptr, vgpu::linear_copy(to, from, bytes), kind);
  });
}

extern "C" cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes,
                                       cudaMemcpyKind kind, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    vgpu::copy_later(runtime, stream, vgpu::linear_copy(to, from, bytes), kind);
  });
}

extern "C" cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from,
                                    std::size_t from_pitch, std::size_t width, std::size_t height,
                                    cudaMemcpyKind kind) {
  return api_call([&](Runtime& runtime) {
    vgpu::copy_now(runtime, nullptr,
                   vgpu::pitched_copy(to, to_pitch, from, from_pitch, width, height), kind);
  });
}

extern "C" cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                                         std::size_t from_pitch, std::size_t width,
                                         std::size_t height, cudaMemcpyKind kind,
                                         cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    vgpu::copy_later(runtime, stream,
                     vgpu::pitched_copy(to, to_pitch, from, from_pitch, width, height), kind);
  });
}

extern "C" cudaError_t cudaMemcpy3D(const cudaMemcpy3DParms* parameters) {
  return api_call([&](Runtime& runtime) {
    vgpu::copy_now(runtime, nullptr, vgpu::box(parameters), parameters->kind);
  });
}

extern "C" cudaError_t cudaMemcpy3DAsync(const cudaMemcpy3DParms* parameters, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    vgpu::copy_later(runtime, stream, vgpu::box(parameters), parameters->kind);
  });
}

extern "C" cudaError_t cudaMemcpyToSymbol(const void* symbol, const void* from, std::size_t bytes,
                                          std::size_t offset, cudaMemcpyKind kind) {
  return api_call([&](Runtime& runtime) {
    std::byte* to = vgpu::symbol_part(runtime, symbol, offset, bytes);
    vgpu::copy_now(runtime, nullptr, vgpu::linear_copy(to, from, bytes), kind);
  });
}

extern "C" cudaError_t cudaMemcpyToSymbolAsync(const void* symbol, const void* from,
                                               std::size_t bytes, std::size_t offset,
                                               cudaMemcpyKind kind, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    std::byte* to = vgpu::symbol_part(runtime, symbol, offset, bytes);
    vgpu::copy_later(runtime, stream, vgpu::linear_copy(to, from, bytes), kind);
  });
}

extern "C" cudaError_t cudaMemcpyFromSymbol(void* to, const void* symbol, std::size_t bytes,
                                            std::size_t offset, cudaMemcpyKind kind) {
  return api_call([&](Runtime& runtime) {
    const std::byte* from = vgpu::symbol_part(runtime, symbol, offset, bytes);
    vgpu::copy_now(runtime, nullptr, vgpu::linear_copy(to, from, bytes), kind);
  });
}

extern "C" cudaError_t cudaMemcpyFromSymbolAsync(void* to, const void* symbol, std::size_t bytes,
                                                 std::size_t offset, cudaMemcpyKind kind,
                                                 cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    const std::byte* from = vgpu::symbol_part(runtime, symbol, offset, bytes);
    vgpu::copy_later(runtime, stream, vgpu::linear_copy(to, from, bytes), kind);
  });
}

extern "C" cudaError_t cudaGetSymbolAddress(void** address, const void* symbol) {
  return api_call([&](Runtime& runtime) {
    require(address != nullptr);
    *address = vgpu::symbol_part(runtime, symbol, 0, 0);
  });
}

extern "C" cudaError_t cudaGetSymbolSize(std::size_t* size, const void* symbol) {
  return api_call([&](Runtime& runtime) {
    require(size != nullptr);
    *size = runtime.registry.variable(runtime, symbol).bytes;
  });
}

// A memset returns before it is done, as on a real device.
extern "C" cudaError_t cudaMemset(void* to, int value, std::size_t bytes) {
  return api_call(
      [&](Runtime& runtime) { vgpu::fill(runtime, nullptr, to, value, bytes, bytes, 1); });
}

extern "C" cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes,
                                       cudaStream_t stream) {
  return api_call(
      [&](Runtime& runtime) { vgpu::fill(runtime, stream, to, value, bytes, bytes, 1); });
}

extern "C" cudaError_t cudaMemset2D(void* to, std::size_t pitch, int value, std::size_t width,
                                    std::size_t height) {
  return api_call(
      [&](Runtime& runtime) { vgpu::fill(runtime, nullptr, to, value, pitch, width, height); });
}

extern "C" cudaError_t cudaMemset2DAsync(void* to, std::size_t pitch, int value, std::size_t width,
                                         std::size_t height, cudaStream_t stream) {
  return api_call(
      [&](Runtime& runtime) { vgpu::fill(runtime, stream, to, value, pitch, width, height); });
}
