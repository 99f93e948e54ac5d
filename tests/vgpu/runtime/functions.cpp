// Attributes of kernels, and the occupancy that follows from them.
#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>

#include "tests/vgpu/posed.h"
#include "tests/vgpu/runtime/runtime.h"

namespace vgpu {
namespace {

cudaFuncAttributes attributes(const CUkern_st& kernel) {
  const KernelInfo& kernel_info = info(*kernel.kernel);
  cudaFuncAttributes a{};
  a.sharedSizeBytes = kernel_info.static_shared_bytes;
  a.localSizeBytes = kernel_info.local_bytes;
  a.maxThreadsPerBlock = static_cast<int>(kernel_info.max_threads != 0 ? kernel_info.max_threads
                                                                       : kDevice.threads_per_block);
  a.numRegs = 0;  // PTX does not say; ptxas decides it
  a.ptxVersion = static_cast<int>(posed.compute_capability);
  a.binaryVersion = a.ptxVersion;
  a.maxDynamicSharedSizeBytes =
      static_cast<int>(kernel.dynamic_shared_limit != 0
                           ? kernel.dynamic_shared_limit
                           : kDevice.shared_per_block - std::min(kDevice.shared_per_block,
                                                                 kernel_info.static_shared_bytes));
  a.requiredClusterWidth = static_cast<int>(kernel_info.required_cluster.x);
  a.requiredClusterHeight = static_cast<int>(kernel_info.required_cluster.y);
  a.requiredClusterDepth = static_cast<int>(kernel_info.required_cluster.z);
  a.clusterDimMustBeSet = kernel_info.explicit_cluster ? 1 : 0;
  a.nonPortableClusterSizeAllowed = kernel.non_portable_cluster ? 1 : 0;
  return a;
}

void set_attribute(CUkern_st& kernel, cudaFuncAttribute attribute, int value) {
  switch (attribute) {
    case cudaFuncAttributeMaxDynamicSharedMemorySize: {
      const std::uint32_t fixed = info(*kernel.kernel).static_shared_bytes;
      require(value >= 0 &&
              static_cast<std::uint32_t>(value) + fixed <= posed.shared_per_block_opt_in);
      kernel.dynamic_shared_limit = static_cast<std::uint32_t>(value);
      break;
    }
    case cudaFuncAttributePreferredSharedMemoryCarveout:
      require(value >= -1 && value <= 100);  // a hint, of no effect here
      break;
    case cudaFuncAttributeNonPortableClusterSizeAllowed:
      kernel.non_portable_cluster = value != 0;
      break;
    default:
      fail(cudaErrorNotSupported, fmt::format("cudaFuncSetAttribute: attribute {} is not supported",
                                              static_cast<int>(attribute)));
  }
}

std::uint32_t threads_of(const cudaLaunchConfig_t& config) {
  return config.blockDim.x * config.blockDim.y * config.blockDim.z;
}

std::uint32_t cluster_blocks(const cudaLaunchConfig_t& config) {
  for (unsigned int i = 0; i < config.numAttrs; ++i) {
    if (config.attrs[i].id == cudaLaunchAttributeClusterDimension) {
      const auto& d = config.attrs[i].val.clusterDim;
      return d.x * d.y * d.z;
    }
  }
  return 1;
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::kDevice;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  return api_call([&](Runtime& runtime) {
    require(attributes != nullptr);
    *attributes = vgpu::attributes(runtime.registry.compiled_kernel(runtime, function));
  });
}

extern "C" cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute,
                                            int value) {
  return api_call([&](Runtime& runtime) {
    vgpu::set_attribute(runtime.registry.compiled_kernel(runtime, function), attribute, value);
  });
}

// A hint about caches, of no effect here.
extern "C" cudaError_t cudaFuncSetCacheConfig(const void* function, cudaFuncCache) {
  return api_call([&](Runtime& runtime) { runtime.registry.kernel(function); });
}

extern "C" cudaError_t cudaFuncGetName(const char** name, const void* function) {
  return api_call([&](Runtime& runtime) {
    require(name != nullptr);
    *name = runtime.registry.kernel(function).name.c_str();
  });
}

extern "C" cudaError_t cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  return api_call([&](Runtime& runtime) {
    require(kernel != nullptr);
    *kernel = &runtime.registry.kernel(function);
  });
}

extern "C" cudaError_t cudaFuncGetParamInfo(const void* function, std::size_t index,
                                            std::size_t* offset, std::size_t* size) {
  return api_call([&](Runtime& runtime) {
    require(offset != nullptr);
    const auto& kernel = runtime.registry.compiled_kernel(runtime, function);
    const auto& parameters = vgpu::info(*kernel.kernel).parameters;
    require(index < parameters.size());
    *offset = parameters[index].offset;
    if (size != nullptr) *size = parameters[index].bytes;
  });
}

// As far as threads, blocks and shared memory decide. Registers are not known, so a real device may
// hold fewer blocks.
extern "C" cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(
    int* blocks, const void* function, int threads, std::size_t dynamic_shared, unsigned int) {
  return api_call([&](Runtime& runtime) {
    require(blocks != nullptr && threads > 0 &&
            dynamic_shared <= vgpu::posed.shared_per_multiprocessor());
    const auto& kernel = runtime.registry.compiled_kernel(runtime, function);
    *blocks = static_cast<int>(vgpu::resident_blocks(vgpu::info(*kernel.kernel),
                                                     static_cast<std::uint32_t>(threads),
                                                     static_cast<std::uint32_t>(dynamic_shared)));
  });
}

extern "C" cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks,
                                                                     const void* function,
                                                                     int threads,
                                                                     std::size_t dynamic_shared) {
  return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads,
                                                                dynamic_shared, 0);
}

extern "C" cudaError_t cudaOccupancyAvailableDynamicSMemPerBlock(std::size_t* bytes,
                                                                 const void* function, int blocks,
                                                                 int threads) {
  return api_call([&](Runtime& runtime) {
    require(bytes != nullptr && blocks > 0 && threads > 0);
    const auto& kernel = runtime.registry.compiled_kernel(runtime, function);
    const std::uint32_t share =
        vgpu::posed.shared_per_multiprocessor() / static_cast<std::uint32_t>(blocks);
    const std::uint32_t taken =
        vgpu::info(*kernel.kernel).static_shared_bytes + kDevice.shared_reserved_per_block;
    *bytes = std::min(share > taken ? share - taken : 0, vgpu::posed.shared_per_block_opt_in);
  });
}

extern "C" cudaError_t cudaOccupancyMaxPotentialClusterSize(int* size, const void* function,
                                                            const cudaLaunchConfig_t* config) {
  return api_call([&](Runtime& runtime) {
    require(size != nullptr && config != nullptr);
    require(vgpu::posed.has_clusters(), cudaErrorInvalidClusterSize);
    const auto& kernel = runtime.registry.compiled_kernel(runtime, function);
    *size = static_cast<int>(kernel.non_portable_cluster ? kDevice.blocks_per_cluster_non_portable
                                                         : kDevice.blocks_per_cluster);
  });
}

// Clusters are counted as if any multiprocessors could form one; a real device groups them.
extern "C" cudaError_t cudaOccupancyMaxActiveClusters(int* clusters, const void* function,
                                                      const cudaLaunchConfig_t* config) {
  return api_call([&](Runtime& runtime) {
    require(clusters != nullptr && config != nullptr);
    require(vgpu::posed.has_clusters(), cudaErrorInvalidClusterSize);
    const auto& kernel = runtime.registry.compiled_kernel(runtime, function);
    const std::uint32_t blocks =
        vgpu::resident_blocks(vgpu::info(*kernel.kernel), vgpu::threads_of(*config),
                              static_cast<std::uint32_t>(config->dynamicSmemBytes));
    const std::uint32_t per_cluster = vgpu::cluster_blocks(*config);
    require(per_cluster > 0, cudaErrorInvalidClusterSize);
    *clusters = static_cast<int>(blocks * vgpu::posed.multiprocessors / per_cluster);
  });
}
