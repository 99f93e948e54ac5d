#pragma once

#include <cstdint>

#include "tests/vgpu/limits.h"

namespace vgpu {

// What a run may have less of than the device that is modelled, so that it shows how a program
// takes a smaller or an older one.
struct PosedLimits {
  std::uint32_t compute_capability = kDevice.compute_capability;
  std::uint32_t multiprocessors = static_cast<std::uint32_t>(kDevice.multiprocessors);
  std::uint32_t shared_per_block_opt_in = kDevice.shared_per_block_opt_in;

  // On every device so far one block can have all that a multiprocessor has, but the system's part.
  std::uint32_t shared_per_multiprocessor() const {
    return shared_per_block_opt_in + kDevice.shared_reserved_per_block;
  }
  bool has_clusters() const { return compute_capability >= 90; }
};

// Set before the first launch.
inline PosedLimits posed;

}  // namespace vgpu
