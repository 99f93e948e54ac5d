#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernels/device.h"

namespace siamese::cuda {

/// What a launch must keep within, of the device that is current at the first call.
struct DeviceLimits {
  std::int64_t multiprocessors;
  std::int64_t grid_blocks;   ///< in x, the only dimension in use
  std::int64_t shared_bytes;  ///< per block, with opting in
};

const DeviceLimits& device_limits();

/// Why the code that runs on the device is without wgmma, or without bulk copies and clusters of
/// blocks. Nothing where there is no device, which is another matter.
std::optional<std::string> why_no_wgmma();
std::optional<std::string> why_before_90();

inline cudaStream_t cuda_stream(Stream stream) { return static_cast<cudaStream_t>(stream.handle); }

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Blocks for a kernel that strides over its work by the whole grid: enough to cover `items` at
/// `per_block` a block, but no more than fill the device a few times over. 0 for no items.
unsigned strided_blocks(std::int64_t items, std::int64_t per_block);

/// Blocks for a kernel with one block a tile. Throws UsageError, naming `what`, where the device's
/// grid cannot take as many.
unsigned tile_blocks(std::int64_t tiles, std::string_view what);

/// Lets `kernel` be launched with `bytes` of dynamic shared memory, above 48 KiB too. Throws
/// UsageError, naming `what`, where the device has not as much for a block.
void allow_shared(const void* kernel, std::int64_t bytes, std::string_view what);

template <class... Parameters>
void allow_shared(void (*kernel)(Parameters...), std::int64_t bytes, std::string_view what) {
  allow_shared(reinterpret_cast<const void*>(kernel), bytes, what);
}

}  // namespace siamese::cuda
