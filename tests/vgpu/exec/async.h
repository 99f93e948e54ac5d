#pragma once

#include <cstdint>

#include "tests/vgpu/exec/warp.h"

// What asynchronous copies and mbarriers share.
namespace vgpu {

// Makes a copy pending: its destination is poisoned until it lands.
[[nodiscard]] PendingCopy issue_copy(Warp& w, std::byte* to, const std::byte* from,
                                     std::uint32_t bytes, std::uint32_t from_bytes,
                                     std::uint32_t lane);
void land_copy(const PendingCopy& copy);

// The phase of an mbarrier expects one more arrival.
void add_pending_arrival(std::byte* barrier);
// Lets what is pending at an mbarrier happen, one after the other, while the phase of this parity
// is not over: what belongs to the next phase stays pending.
void settle_mbarrier(Warp& w, std::byte* barrier, bool parity);

}  // namespace vgpu
