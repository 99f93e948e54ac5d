#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <utility>

#include "tests/vgpu/memory/pointer.h"
#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/transfer.h"

// What a cudaMemPool_t points to. There is one pool, the device's default.
struct CUmemPoolHandle_st {};

namespace vgpu {
namespace {

void* allocate(Runtime& runtime, std::size_t bytes, MemoryKind kind, const char* call) {
  if (bytes == 0) return nullptr;
  const std::optional<Address> address = runtime.memory.allocate(bytes, kind, call);
  require(address.has_value(), cudaErrorMemoryAllocation);
  return pointer_to(*address);
}

void allocate_now(Runtime& runtime, void** pointer, std::size_t bytes, MemoryKind kind,
                  const char* call) {
  require(pointer != nullptr);
  refuse_unsafe_call(runtime);
  *pointer = allocate(runtime, bytes, kind, call);
}

[[noreturn]] void refuse_double_free(Runtime& runtime, Address address, const char* call) {
  runtime.reports.add(ReportKind::host_access,
                      fmt::format("{}: {:#x} was freed before: {}", call, address,
                                  runtime.memory.describe(address)));
  fail(cudaErrorInvalidValue);
}

// Frees what cudaMalloc (host false) or cudaMallocHost (host true) and their kin gave. Everything
// that is queued is done first, as a real device does it: the memory might be in use.
void release_now(Runtime& runtime, void* pointer, bool host, const char* call) {
  if (pointer == nullptr) return;
  refuse_unsafe_call(runtime);
  const auto address = address_of(pointer);
  if (runtime.release_queued.contains(address)) refuse_double_free(runtime, address, call);
  const std::optional<Allocation> allocation = runtime.memory.query(address);
  if (allocation) {
    const bool device = allocation->kind == MemoryKind::device ||
                        (allocation->kind == MemoryKind::managed &&
                         !runtime.registry.is_managed_variable(allocation->address));
    require(host ? allocation->kind == MemoryKind::host_pinned : device);
  }
  runtime.queue.finish_all();
  switch (runtime.memory.release(address)) {
    case ReleaseResult::ok:
      return;
    case ReleaseResult::already_freed:
      refuse_double_free(runtime, address, call);
    case ReleaseResult::not_an_allocation:
      fail(cudaErrorInvalidValue);
  }
}

// Memory that is ordered by a stream is there from the call on: using it in another stream too
// early is not seen. Using it after its cudaFreeAsync was done is.
void allocate_later(Runtime& runtime, void** pointer, std::size_t bytes, cudaStream_t stream) {
  require(pointer != nullptr);
  refuse_capture(runtime.streams.find(stream), "cudaMallocAsync");
  *pointer = allocate(runtime, bytes, MemoryKind::device, "cudaMallocAsync");
}

void release_later(Runtime& runtime, void* pointer, cudaStream_t stream) {
  if (pointer == nullptr) return;
  const auto address = address_of(pointer);
  refuse_capture(runtime.streams.find(stream), "cudaFreeAsync");
  const std::optional<Allocation> allocation = runtime.memory.query(address);
  const bool again = runtime.release_queued.contains(address);
  if (again) refuse_double_free(runtime, address, "cudaFreeAsync");
  require(allocation && allocation->address == address && allocation->kind == MemoryKind::device);
  enqueue(runtime, runtime.streams.find(stream), Release{address});
  runtime.release_queued.insert(address);
}

cudaMemPool_t default_pool() {
  static CUmemPoolHandle_st pool;
  return reinterpret_cast<cudaMemPool_t>(&pool);
}

std::size_t aligned_pitch(std::size_t width) {
  constexpr std::size_t alignment = 512;
  require(width <= widest_pitch / alignment * alignment);
  return (width + alignment - 1) / alignment * alignment;
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::MemoryKind;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaMalloc(void** pointer, std::size_t bytes) {
  return api_call([&](Runtime& runtime) {
    vgpu::allocate_now(runtime, pointer, bytes, MemoryKind::device, "cudaMalloc");
  });
}

extern "C" cudaError_t cudaMallocPitch(void** pointer, std::size_t* pitch, std::size_t width,
                                       std::size_t height) {
  return api_call([&](Runtime& runtime) {
    require(pitch != nullptr);
    *pitch = vgpu::aligned_pitch(width);
    vgpu::allocate_now(runtime, pointer, vgpu::product(*pitch, height), MemoryKind::device,
                       "cudaMallocPitch");
  });
}

extern "C" cudaError_t cudaMalloc3D(cudaPitchedPtr* pointer, cudaExtent extent) {
  return api_call([&](Runtime& runtime) {
    require(pointer != nullptr);
    pointer->pitch = vgpu::aligned_pitch(extent.width);
    pointer->xsize = extent.width;
    pointer->ysize = extent.height;
    vgpu::allocate_now(runtime, &pointer->ptr,
                       vgpu::product(vgpu::product(pointer->pitch, extent.height), extent.depth),
                       MemoryKind::device, "cudaMalloc3D");
  });
}

extern "C" cudaError_t cudaMallocManaged(void** pointer, std::size_t bytes, unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    require(bytes > 0 && (flags == cudaMemAttachGlobal || flags == cudaMemAttachHost));
    vgpu::allocate_now(runtime, pointer, bytes, MemoryKind::managed, "cudaMallocManaged");
  });
}

extern "C" cudaError_t cudaMallocHost(void** pointer, std::size_t bytes) {
  return api_call([&](Runtime& runtime) {
    vgpu::allocate_now(runtime, pointer, bytes, MemoryKind::host_pinned, "cudaMallocHost");
  });
}

extern "C" cudaError_t cudaHostAlloc(void** pointer, std::size_t bytes, unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    constexpr unsigned int known =
        cudaHostAllocPortable | cudaHostAllocMapped | cudaHostAllocWriteCombined;
    require((flags & ~known) == 0);
    vgpu::allocate_now(runtime, pointer, bytes, MemoryKind::host_pinned, "cudaHostAlloc");
  });
}

extern "C" cudaError_t cudaHostGetDevicePointer(void** device, void* host, unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    require(device != nullptr && flags == 0);
    const auto allocation = runtime.memory.query(vgpu::address_of(host));
    require(allocation && allocation->kind == MemoryKind::host_pinned);
    *device = host;
  });
}

extern "C" cudaError_t cudaFree(void* pointer) {
  return api_call(
      [&](Runtime& runtime) { vgpu::release_now(runtime, pointer, false, "cudaFree"); });
}

extern "C" cudaError_t cudaFreeHost(void* pointer) {
  return api_call(
      [&](Runtime& runtime) { vgpu::release_now(runtime, pointer, true, "cudaFreeHost"); });
}

extern "C" cudaError_t cudaMallocAsync(void** pointer, std::size_t bytes, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) { vgpu::allocate_later(runtime, pointer, bytes, stream); });
}

extern "C" cudaError_t cudaMallocFromPoolAsync(void** pointer, std::size_t bytes,
                                               cudaMemPool_t pool, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    require(pool == vgpu::default_pool());
    vgpu::allocate_later(runtime, pointer, bytes, stream);
  });
}

extern "C" cudaError_t cudaFreeAsync(void* pointer, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) { vgpu::release_later(runtime, pointer, stream); });
}

extern "C" cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  return api_call([&](Runtime&) {
    require(pool != nullptr);
    require(device == 0, cudaErrorInvalidDevice);
    *pool = vgpu::default_pool();
  });
}

extern "C" cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int device) {
  return cudaDeviceGetDefaultMemPool(pool, device);
}

// A pool's attributes steer when it gives memory back to the system: nothing that is modelled.
extern "C" cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr, void* value) {
  return api_call([&](Runtime&) { require(pool == vgpu::default_pool() && value != nullptr); });
}

extern "C" cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t) {
  return api_call([&](Runtime&) { require(pool == vgpu::default_pool()); });
}

extern "C" cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  return api_call([&](Runtime& runtime) {
    require(free != nullptr && total != nullptr);
    *total = runtime.memory.capacity();
    *free = runtime.memory.capacity() - runtime.memory.used_bytes();
  });
}

extern "C" cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes,
                                                const void* pointer) {
  return api_call([&](Runtime& runtime) {
    require(attributes != nullptr);
    *attributes = {};
    attributes->device = -1;
    const auto allocation = runtime.memory.query(vgpu::address_of(pointer));
    auto* address = const_cast<void*>(pointer);
    if (!allocation) {
      require(!runtime.memory.contains(vgpu::address_of(pointer)));
      attributes->type = cudaMemoryTypeUnregistered;
      attributes->hostPointer = address;
      return;
    }
    const bool managed = allocation->kind == MemoryKind::managed;
    const bool pinned = allocation->kind == MemoryKind::host_pinned;
    attributes->type = managed  ? cudaMemoryTypeManaged
                       : pinned ? cudaMemoryTypeHost
                                : cudaMemoryTypeDevice;
    attributes->device = 0;
    attributes->devicePointer = address;
    attributes->hostPointer = managed || pinned ? address : nullptr;
  });
}

// Where managed memory resides is a matter of speed alone.
extern "C" cudaError_t cudaMemPrefetchAsync(const void* pointer, std::size_t bytes, cudaMemLocation,
                                            unsigned int flags, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    const auto address = vgpu::address_of(pointer);
    const auto allocation = runtime.memory.query(address);
    require(flags == 0 && allocation && allocation->kind == MemoryKind::managed &&
            bytes <= allocation->address + allocation->bytes - address);
    vgpu::enqueue(runtime, runtime.streams.find(stream), vgpu::Marker{});
  });
}

extern "C" cudaError_t cudaMemAdvise(const void* pointer, std::size_t bytes, cudaMemoryAdvise,
                                     cudaMemLocation) {
  return api_call([&](Runtime& runtime) {
    const auto address = vgpu::address_of(pointer);
    const auto allocation = runtime.memory.query(address);
    require(allocation && allocation->kind == MemoryKind::managed &&
            bytes <= allocation->address + allocation->bytes - address);
  });
}
