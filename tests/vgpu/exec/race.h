#pragma once

#include <cstdint>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/warp.h"

// The race checks: two accesses of one place, one of them a store, that nothing orders. Called only
// when races are checked.
namespace vgpu {

// ---- what orders accesses ----

// A warp arrives at a barrier; `acquires`: it also waits there. `relaxed`, here and below: only
// what it did before its last fence is ordered.
void race_arrive(Warp& w, Barrier& barrier, bool acquires, bool relaxed = false);
// A barrier of a block, or of its cluster, is complete.
void race_barrier(Block& block, const Barrier& barrier);
void race_cluster_barrier(Block& block);
// Lanes of a warp synchronise. Only bar.warp.sync does that: shfl, vote, match, redux, elect and
// mma make lanes meet, but promise no order of their accesses.
void race_warp_sync(Warp& w);
// What the warp has done is ordered before what a warp does that acquires the same object later.
void race_release(Warp& w, const void* object, bool relaxed = false);
void race_acquire(Warp& w, const void* object);
void race_fence(Warp& w);
// What is ordered before it the asynchronous proxy sees.
void race_proxy_fence(Warp& w);
// A strong access is over. All that it can have seen was published before, by units that run at the
// same time as well; so this is the moment to take it.
void race_strong_access_over(Warp& w);

// ---- accesses; offsets in bytes of the region ----

void race_shared(Warp& w, Block& owner, const AccessDetail& d, const std::uint64_t* offsets,
                 LaneMask mask);
void race_global(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask);

}  // namespace vgpu
