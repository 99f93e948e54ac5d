#include <cuda_profiler_api.h>
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstdio>
#include <cstring>
#include <map>

#include "tests/vgpu/posed.h"
#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/transfer.h"

namespace vgpu {
namespace {

void require_device(int device) { require(device == 0, cudaErrorInvalidDevice); }

cudaDeviceProp properties() {
  constexpr const DeviceLimits& limits = kDevice;
  cudaDeviceProp p{};
  p.major = static_cast<int>(posed.compute_capability) / 10;
  p.minor = static_cast<int>(posed.compute_capability) % 10;
  std::snprintf(p.name, sizeof p.name,
                "Virtual GPU (functional model of a cc %d.%d device on the CPU)", p.major, p.minor);
  p.totalGlobalMem = limits.total_memory;
  p.sharedMemPerBlock = limits.shared_per_block;
  p.sharedMemPerBlockOptin = posed.shared_per_block_opt_in;
  p.sharedMemPerMultiprocessor = posed.shared_per_multiprocessor();
  p.reservedSharedMemPerBlock = limits.shared_reserved_per_block;
  p.regsPerBlock = static_cast<int>(limits.registers_per_block);
  p.regsPerMultiprocessor = static_cast<int>(limits.registers_per_multiprocessor);
  p.warpSize = limits.warp_lanes;
  p.memPitch = widest_pitch;
  p.maxThreadsPerBlock = static_cast<int>(limits.threads_per_block);
  p.maxThreadsPerMultiProcessor = static_cast<int>(limits.threads_per_multiprocessor);
  p.maxBlocksPerMultiProcessor = static_cast<int>(limits.blocks_per_multiprocessor);
  for (int axis = 0; axis < 3; ++axis) {
    p.maxThreadsDim[axis] = static_cast<int>(limits.block[axis]);
    p.maxGridSize[axis] = static_cast<int>(limits.grid[axis]);
  }
  p.totalConstMem = limits.constant_bytes;
  p.textureAlignment = 512;
  p.texturePitchAlignment = 32;
  p.surfaceAlignment = 512;
  p.multiProcessorCount = static_cast<int>(posed.multiprocessors);
  p.canMapHostMemory = 1;
  p.concurrentKernels = 1;
  p.asyncEngineCount = 3;
  p.unifiedAddressing = 1;
  p.memoryBusWidth = static_cast<int>(limits.memory_bus_bits);
  p.l2CacheSize = static_cast<int>(limits.l2_bytes);
  p.streamPrioritiesSupported = 1;
  p.globalL1CacheSupported = 1;
  p.localL1CacheSupported = 1;
  p.managedMemory = 1;
  p.cooperativeLaunch = 1;
  p.clusterLaunch = posed.has_clusters() ? 1 : 0;
  p.memoryPoolsSupported = 1;
  p.unifiedFunctionPointers = 1;
  p.hostNumaId = -1;
  p.deviceNumaId = -1;
  return p;
}

int attribute(cudaDeviceAttr attribute) {
  const cudaDeviceProp p = properties();
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return p.maxThreadsPerBlock;
    case cudaDevAttrMaxBlockDimX:
      return p.maxThreadsDim[0];
    case cudaDevAttrMaxBlockDimY:
      return p.maxThreadsDim[1];
    case cudaDevAttrMaxBlockDimZ:
      return p.maxThreadsDim[2];
    case cudaDevAttrMaxGridDimX:
      return p.maxGridSize[0];
    case cudaDevAttrMaxGridDimY:
      return p.maxGridSize[1];
    case cudaDevAttrMaxGridDimZ:
      return p.maxGridSize[2];
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return static_cast<int>(p.sharedMemPerBlock);
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return static_cast<int>(p.sharedMemPerBlockOptin);
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return static_cast<int>(p.sharedMemPerMultiprocessor);
    case cudaDevAttrReservedSharedMemoryPerBlock:
      return static_cast<int>(p.reservedSharedMemPerBlock);
    case cudaDevAttrTotalConstantMemory:
      return static_cast<int>(p.totalConstMem);
    case cudaDevAttrWarpSize:
      return p.warpSize;
    case cudaDevAttrMaxPitch:
      return static_cast<int>(p.memPitch);
    case cudaDevAttrMaxRegistersPerBlock:
      return p.regsPerBlock;
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return p.regsPerMultiprocessor;
    case cudaDevAttrMultiProcessorCount:
      return p.multiProcessorCount;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return p.maxThreadsPerMultiProcessor;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return p.maxBlocksPerMultiProcessor;
    case cudaDevAttrCanMapHostMemory:
      return p.canMapHostMemory;
    case cudaDevAttrConcurrentKernels:
      return p.concurrentKernels;
    case cudaDevAttrAsyncEngineCount:
      return p.asyncEngineCount;
    case cudaDevAttrUnifiedAddressing:
      return p.unifiedAddressing;
    case cudaDevAttrGlobalMemoryBusWidth:
      return p.memoryBusWidth;
    case cudaDevAttrL2CacheSize:
      return p.l2CacheSize;
    case cudaDevAttrComputeCapabilityMajor:
      return p.major;
    case cudaDevAttrComputeCapabilityMinor:
      return p.minor;
    case cudaDevAttrStreamPrioritiesSupported:
      return p.streamPrioritiesSupported;
    case cudaDevAttrManagedMemory:
      return p.managedMemory;
    case cudaDevAttrCooperativeLaunch:
      return p.cooperativeLaunch;
    case cudaDevAttrClusterLaunch:
      return p.clusterLaunch;
    case cudaDevAttrMemoryPoolsSupported:
      return p.memoryPoolsSupported;
    case cudaDevAttrIntegrated:
    case cudaDevAttrKernelExecTimeout:
    case cudaDevAttrComputeMode:
    case cudaDevAttrEccEnabled:
    case cudaDevAttrTccDriver:
    case cudaDevAttrPageableMemoryAccess:
    case cudaDevAttrConcurrentManagedAccess:
    case cudaDevAttrHostNativeAtomicSupported:
    case cudaDevAttrHostRegisterSupported:
      return 0;
    default:
      fail(cudaErrorNotSupported, fmt::format("cudaDeviceGetAttribute: attribute {} is not known",
                                              static_cast<int>(attribute)));
  }
}

// Limits that a program may set; they bound nothing here.
std::map<cudaLimit, std::size_t>& limits() {
  static std::map<cudaLimit, std::size_t> values{{cudaLimitStackSize, 1024},
                                                 {cudaLimitPrintfFifoSize, std::size_t{1} << 20},
                                                 {cudaLimitMallocHeapSize, std::size_t{8} << 20}};
  return values;
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::Needs;
using vgpu::require;
using vgpu::require_device;
using vgpu::Runtime;

extern "C" cudaError_t cudaGetDeviceCount(int* count) {
  const auto give = [&](Runtime&) {
    require(count != nullptr);
    *count = 1;
  };
  return api_call(give, Needs::nothing);
}

extern "C" cudaError_t cudaGetDevice(int* device) {
  const auto give = [&](Runtime&) {
    require(device != nullptr);
    *device = 0;
  };
  return api_call(give, Needs::nothing);
}

extern "C" cudaError_t cudaSetDevice(int device) {
  return api_call([&](Runtime&) { require_device(device); });
}

extern "C" cudaError_t cudaInitDevice(int device, unsigned int, unsigned int) {
  return api_call([&](Runtime&) { require_device(device); });
}

extern "C" cudaError_t cudaSetDeviceFlags(unsigned int) {
  return api_call([](Runtime&) {});  // they steer how a thread waits
}

extern "C" cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const auto give = [&](Runtime&) {
    require(properties != nullptr);
    require_device(device);
    *properties = vgpu::properties();
  };
  return api_call(give, Needs::nothing);
}

extern "C" cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return api_call([&](Runtime&) {
    require(value != nullptr);
    require_device(device);
    *value = vgpu::attribute(attribute);
  });
}

extern "C" cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  return api_call([&](Runtime&) {
    require(can != nullptr);
    require_device(device);
    require_device(peer);
    *can = 0;
  });
}

extern "C" cudaError_t cudaDeviceSynchronize() {
  return api_call([](Runtime& runtime) {
    vgpu::refuse_unsafe_call(runtime);
    runtime.queue.finish_all();
  });
}

// Ends all work and frees all memory. A device that has faulted stays lost.
extern "C" cudaError_t cudaDeviceReset() {
  return api_call([](Runtime& runtime) {
    vgpu::refuse_unsafe_call(runtime);
    runtime.queue.finish_all();
    for (const vgpu::Allocation& allocation : runtime.memory.live()) {
      runtime.memory.release(allocation.address);
    }
  });
}

extern "C" cudaError_t cudaDeviceSetLimit(cudaLimit limit, std::size_t value) {
  return api_call([&](Runtime&) {
    const auto found = vgpu::limits().find(limit);
    require(found != vgpu::limits().end(), cudaErrorUnsupportedLimit);
    found->second = value;
  });
}

extern "C" cudaError_t cudaDeviceGetLimit(std::size_t* value, cudaLimit limit) {
  return api_call([&](Runtime&) {
    const auto found = vgpu::limits().find(limit);
    require(found != vgpu::limits().end(), cudaErrorUnsupportedLimit);
    require(value != nullptr);
    *value = found->second;
  });
}

extern "C" cudaError_t cudaDriverGetVersion(int* version) {
  const auto give = [&](Runtime&) {
    require(version != nullptr);
    *version = CUDART_VERSION;
  };
  return api_call(give, Needs::nothing);
}

extern "C" cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

extern "C" cudaChannelFormatDesc cudaCreateChannelDesc(int x, int y, int z, int w,
                                                       cudaChannelFormatKind kind) {
  return {x, y, z, w, kind};
}

// The counters are the profiler.
extern "C" cudaError_t cudaProfilerStart() {
  return api_call([](Runtime& runtime) { runtime.counting = runtime.counters_file.wanted(); });
}

extern "C" cudaError_t cudaProfilerStop() {
  return api_call([](Runtime& runtime) { runtime.counting = false; });
}
