#pragma once

#include <cstdint>

#include "tests/vgpu/limits.h"

namespace vgpu {

// What a run may have less of than the device that is modelled, so that it shows how a program
// takes a smaller one.
struct PosedLimits {
  std::uint32_t multiprocessors = static_cast<std::uint32_t>(kDevice.multiprocessors);
  std::uint32_t shared_per_block_opt_in = kDevice.shared_per_block_opt_in;
};

// Set before the first launch.
inline PosedLimits posed;

}  // namespace vgpu
