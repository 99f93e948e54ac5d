#pragma once

#include <cstdint>

#include "tests/vgpu/exec/warp.h"

namespace vgpu {

// Some threads of the block have exited: barriers that wait for all others may be complete.
void threads_exited(Block& block);

// The same for the barrier of its cluster.
void cluster_threads_exited(Block& block);

// What each warp of these blocks waits for, for the report of a deadlock. Sets `divergent` when
// lanes of one warp wait at different instructions.
[[nodiscard]] std::string describe_waiting(const Block& block, bool& divergent);

// Lets the running fragment go on when every lane that `named` gives it as partners has arrived at
// the same instruction, and else parks it. named[lane] is the lane's own mask of partners.
[[nodiscard]] bool converged(Warp& w, LaneMask mask, const std::uint32_t* named);

}  // namespace vgpu
