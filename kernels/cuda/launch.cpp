#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/probe.h"
#include "kernels/multiples.h"
#include "model/error.h"

namespace siamese::cuda {
namespace {

// Blocks per multiprocessor of a grid that strides: four times what is resident at 256 threads, so
// that blocks which end early leave no multiprocessor idle for long.
constexpr std::int64_t blocks_per_multiprocessor = 32;

std::int64_t attribute(cudaDeviceAttr name, int device) {
  int value = 0;
  SIAMESE_CHECK_CUDA(cudaDeviceGetAttribute(&value, name, device));
  return value;
}

int current_device() {
  int device = 0;
  SIAMESE_CHECK_CUDA(cudaGetDevice(&device));
  return device;
}

DeviceLimits query_limits() {
  const int device = current_device();
  return {attribute(cudaDevAttrMultiProcessorCount, device),
          attribute(cudaDevAttrMaxGridDimX, device),
          attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, device)};
}

// Also where there is no device.
bool device_code_has(bool DeviceCode::*feature) {
  if (backend(Device::cuda).why_unavailable()) return true;
  static const DeviceCode code = probe_device_code();
  return code.*feature;
}

}  // namespace

const DeviceLimits& device_limits() {
  static const DeviceLimits limits = query_limits();
  return limits;
}

std::optional<std::string> why_no_wgmma() {
  if (device_code_has(&DeviceCode::wgmma)) return std::nullopt;
  return "code without wgmma; expected that for sm_90a, on a device of compute capability 9.0";
}

std::optional<std::string> why_before_90() {
  if (device_code_has(&DeviceCode::of_90)) return std::nullopt;
  return "code without bulk copies and clusters; expected that for compute capability 9.0 or later";
}

unsigned strided_blocks(std::int64_t items, std::int64_t per_block) {
  const std::int64_t most = device_limits().multiprocessors * blocks_per_multiprocessor;
  return static_cast<unsigned>(std::min(ceil_div(items, per_block), most));
}

unsigned tile_blocks(std::int64_t tiles, std::string_view what) {
  const std::int64_t most = device_limits().grid_blocks;
  if (tiles > most) {
    throw UsageError(
        fmt::format("cuda: {} needs {} blocks; expected at most {}", what, tiles, most));
  }
  return static_cast<unsigned>(tiles);
}

void allow_shared(const void* kernel, std::int64_t bytes, std::string_view what) {
  cudaFuncAttributes attributes{};
  SIAMESE_CHECK_CUDA(cudaFuncGetAttributes(&attributes, kernel));
  const std::int64_t most =
      device_limits().shared_bytes - static_cast<std::int64_t>(attributes.sharedSizeBytes);
  if (bytes > most) {
    throw UsageError(
        fmt::format("cuda: {} needs {} bytes of dynamic shared memory a block; the device has {}",
                    what, bytes, most));
  }
  // The attribute is the kernel's and the last value holds, so what one launch needs would be too
  // little for another that was prepared before it: all get the most.
  SIAMESE_CHECK_CUDA(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(most)));
}

}  // namespace siamese::cuda
