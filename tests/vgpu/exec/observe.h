#pragma once

#include <cstdint>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/warp.h"

namespace vgpu {

// Called for each access when counters or race checks are on. `offsets` are those of the region:
// device memory, one block's shared memory, or local memory a lane.
void observe_global(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask);
void observe_shared(Warp& w, Block& owner, const AccessDetail& d, const std::uint64_t* offsets,
                    LaneMask mask);
void observe_local(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask);

}  // namespace vgpu
