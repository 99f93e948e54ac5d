#pragma once

#include <cstdint>
#include <vector>

#include "tests/vgpu/ptx/module.h"

namespace vgpu {

// Which registers take the row of another one: for each register that other one, or itself where it
// has a row of its own.
//
// nvcc names a register anew for each value, thousands a kernel, of which a thread holds some
// dozens at a time. Those that never hold a value at the same time share a row, so that the frame
// of a warp stays in the host's caches. A register that may be read before it was written keeps a
// row of its own, whose poison nobody overwrites; so do predicates, and what instructions touch
// that not only read their operands or write the first: wgmma's sums arrive later.
[[nodiscard]] std::vector<std::int32_t> shared_rows(const ptx::Function& function);

}  // namespace vgpu
