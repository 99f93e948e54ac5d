#include "tests/vgpu/runtime/launch.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <cstring>
#include <limits>
#include <optional>
#include <string>

#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/runtime.h"

namespace vgpu {
namespace {

Dim3 to_dim3(dim3 d) { return {d.x, d.y, d.z}; }

cudaError_t error_of(LaunchProblem problem) {
  switch (problem) {
    case LaunchProblem::none:
      return cudaSuccess;
    case LaunchProblem::invalid_value:
      return cudaErrorInvalidValue;
    case LaunchProblem::cooperative_too_large:
      return cudaErrorCooperativeLaunchTooLarge;
    case LaunchProblem::invalid_cluster:
      return cudaErrorInvalidClusterSize;
    case LaunchProblem::unsupported:
      return cudaErrorNotSupported;
  }
  return cudaErrorUnknown;
}

void launch(Runtime& runtime, cudaStream_t handle, KernelLaunch prepared) {
  CUstream_st& stream = runtime.streams.find(handle);
  try {
    check_launch(prepared);
  } catch (const ApiError&) {
    invalidate_capture(stream);
    throw;
  }
  enqueue(runtime, stream, std::move(prepared));
}

// Applies one attribute of cudaLaunchKernelExC. Those that only steer speed change nothing here.
void apply(const cudaLaunchAttribute& attribute, Launch& launch) {
  switch (attribute.id) {
    case cudaLaunchAttributeClusterDimension: {
      const auto& d = attribute.val.clusterDim;
      launch.cluster = {d.x, d.y, d.z};
      break;
    }
    case cudaLaunchAttributeCooperative:
      launch.cooperative = attribute.val.cooperative != 0;
      break;
    case cudaLaunchAttributeIgnore:
    case cudaLaunchAttributePriority:
    case cudaLaunchAttributeAccessPolicyWindow:
    case cudaLaunchAttributeClusterSchedulingPolicyPreference:
    case cudaLaunchAttributePreferredSharedMemoryCarveout:
    case cudaLaunchAttributeMemSyncDomain:
    case cudaLaunchAttributeMemSyncDomainMap:
      break;
    default:
      fail(cudaErrorNotSupported,
           fmt::format("cudaLaunchKernelExC: launch attribute {} is not supported",
                       static_cast<int>(attribute.id)));
  }
}

// <<<>>> is compiled to a push of the configuration and a call of the kernel's host function, which
// pops it.
struct CallConfiguration {
  dim3 grid, block;
  std::size_t shared;
  cudaStream_t stream;
};

std::optional<CallConfiguration>& call_configuration() {
  thread_local std::optional<CallConfiguration> configuration;
  return configuration;
}

}  // namespace

KernelLaunch build_launch(Runtime& runtime, const void* function, dim3 grid, dim3 block,
                          void** arguments, std::size_t dynamic_shared_bytes) {
  const CUkern_st& kernel = runtime.registry.compiled_kernel(runtime, function);
  require(dynamic_shared_bytes <= std::numeric_limits<std::uint32_t>::max());
  KernelLaunch result;
  result.kernel = &kernel;
  result.launch.kernel = kernel.kernel;
  result.launch.grid = to_dim3(grid);
  result.launch.block = to_dim3(block);
  result.launch.dynamic_shared_bytes = static_cast<std::uint32_t>(dynamic_shared_bytes);
  result.launch.dynamic_shared_limit = kernel.dynamic_shared_limit;
  result.launch.non_portable_cluster = kernel.non_portable_cluster;

  const KernelInfo& kernel_info = info(*kernel.kernel);
  require(arguments != nullptr || kernel_info.parameters.empty());
  result.launch.parameters.resize(kernel_info.parameter_bytes);
  for (std::size_t i = 0; i < kernel_info.parameters.size(); ++i) {
    const Parameter& parameter = kernel_info.parameters[i];
    require(arguments[i] != nullptr);
    std::memcpy(result.launch.parameters.data() + parameter.offset, arguments[i], parameter.bytes);
  }
  return result;
}

void check_launch(const KernelLaunch& launch) {
  std::string message;
  const LaunchProblem problem = check(launch.launch, &message);
  if (problem == LaunchProblem::none) return;
  fail(error_of(problem), fmt::format("launch of {} refused: {}", launch.kernel->name, message));
}

}  // namespace vgpu

using vgpu::api_call;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block,
                                        void** arguments, std::size_t shared, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    vgpu::launch(runtime, stream,
                 vgpu::build_launch(runtime, function, grid, block, arguments, shared));
  });
}

// NOLINTBEGIN(bugprone-reserved-identifier): the names are nvcc's
extern "C" unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, std::size_t shared,
                                                CUstream_st* stream) {
  vgpu::call_configuration() = {grid, block, shared, stream};
  return 0;
}

extern "C" cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, std::size_t* shared,
                                                  void* stream) {
  auto& configuration = vgpu::call_configuration();
  if (!configuration) return vgpu::record(cudaErrorMissingConfiguration);
  *grid = configuration->grid;
  *block = configuration->block;
  *shared = configuration->shared;
  *static_cast<cudaStream_t*>(stream) = configuration->stream;
  configuration.reset();
  return cudaSuccess;
}

extern "C" cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block,
                                          void** arguments, std::size_t shared,
                                          cudaStream_t stream) {
  return cudaLaunchKernel(kernel, grid, block, arguments, shared, stream);
}

// NOLINTEND(bugprone-reserved-identifier)

extern "C" cudaError_t cudaLaunchCooperativeKernel(const void* function, dim3 grid, dim3 block,
                                                   void** arguments, std::size_t shared,
                                                   cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    vgpu::KernelLaunch prepared =
        vgpu::build_launch(runtime, function, grid, block, arguments, shared);
    prepared.launch.cooperative = true;
    vgpu::launch(runtime, stream, std::move(prepared));
  });
}

extern "C" cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function,
                                           void** arguments) {
  return api_call([&](Runtime& runtime) {
    require(config != nullptr && (config->attrs != nullptr || config->numAttrs == 0));
    vgpu::KernelLaunch prepared = vgpu::build_launch(
        runtime, function, config->gridDim, config->blockDim, arguments, config->dynamicSmemBytes);
    for (unsigned int i = 0; i < config->numAttrs; ++i) {
      vgpu::apply(config->attrs[i], prepared.launch);
    }
    vgpu::launch(runtime, config->stream, std::move(prepared));
  });
}
