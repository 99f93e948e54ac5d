#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/device.h"

namespace siamese::cuda {

/// What a launch must keep within, of the device that is current at the first call.
struct DeviceLimits {
  std::int64_t multiprocessors;
  std::int64_t grid_blocks;   ///< in x; in y no kernel has more than 2
  std::int64_t shared_bytes;  ///< per block, with opting in
};

const DeviceLimits& device_limits();

/// Why the code that runs on the device is without wgmma, or without bulk copies and clusters of
/// blocks. Nothing where there is no device, which is another matter.
std::optional<std::string> why_no_wgmma();
std::optional<std::string> why_before_90();

inline cudaStream_t cuda_stream(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

/// Blocks for a kernel that strides over its work by the whole grid: enough to cover `items` at
/// `per_block` a block, but no more than fill the device a few times over. 0 for no items.
unsigned strided_blocks(std::int64_t items, std::int64_t per_block);

/// Blocks for a kernel with one block a tile. Throws UsageError, naming `what`, where the device's
/// grid cannot take as many.
unsigned tile_blocks(std::int64_t tiles, std::string_view what);

/// How to launch a kernel whose blocks wait for each other, for cudaLaunchKernelEx.
class CooperativeLaunch {
 public:
  CooperativeLaunch(unsigned blocks, unsigned threads, std::int64_t shared_bytes,
                    cudaStream_t stream) {
    attribute_.id = cudaLaunchAttributeCooperative;
    attribute_.val.cooperative = 1;
    config_.gridDim = dim3(blocks);
    config_.blockDim = dim3(threads);
    config_.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
    config_.stream = stream;
    config_.attrs = &attribute_;
    config_.numAttrs = 1;
  }
  CooperativeLaunch(const CooperativeLaunch&) = delete;
  CooperativeLaunch& operator=(const CooperativeLaunch&) = delete;

  const cudaLaunchConfig_t* config() const { return &config_; }

 private:
  cudaLaunchAttribute attribute_{};
  cudaLaunchConfig_t config_{};
};

/// Lets `kernel` be launched with `bytes` of dynamic shared memory and with any other number that
/// the device has, above 48 KiB too. Throws UsageError, naming `what`, where the device has fewer
/// for a block.
void allow_shared(const void* kernel, std::int64_t bytes, std::string_view what);

template <class... Parameters>
void allow_shared(void (*kernel)(Parameters...), std::int64_t bytes, std::string_view what) {
  allow_shared(reinterpret_cast<const void*>(kernel), bytes, what);
}

}  // namespace siamese::cuda
