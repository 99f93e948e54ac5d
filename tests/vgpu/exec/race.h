#pragma once

#include <cstdint>
#include <vector>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/warp.h"

// The race checks. Each warp has a clock that advances when it synchronises, and knows how far
// those of the other warps are ordered before it. Two accesses of one place of which one is a
// store race when neither is ordered before the other.
namespace vgpu {

void race_start(Block& block);

// ---- what orders accesses ----

// A warp arrives at a barrier of its block, with what it has done so far.
void race_arrive(Warp& w);
// A barrier is complete: those that arrived (a mask a warp) know of one another.
void race_barrier(Block& block, const std::vector<LaneMask>& arrived);
void race_cluster_barrier(Block& block);
// Lanes of a warp synchronise.
void race_warp_sync(Warp& w, LaneMask mask);

// ---- accesses; offsets in bytes of the region ----

void race_shared(Warp& w, Block& owner, const AccessDetail& d, const std::uint64_t* offsets,
                 LaneMask mask);
void race_global(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask);

}  // namespace vgpu
