#include "tests/vgpu/exec/fragment.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <string>

#include "tests/vgpu/exec/barrier.h"

namespace vgpu {

bool whole_warp(Warp& w, LaneMask mask) {
  if (mask == kAllLanes) return true;
  std::uint32_t partners[kLanes];
  std::fill(std::begin(partners), std::end(partners), w.live);
  if (!converged(w, mask, partners)) return false;
  const auto absent = static_cast<std::uint32_t>(std::countr_one(mask));
  const std::string message =
      fmt::format("an instruction for all 32 lanes of a warp is executed without lane {}; {}",
                  absent, describe_thread(w, static_cast<std::uint32_t>(std::countr_zero(mask))));
  report(w, ReportKind::divergent_barrier, message);
  throw Fault{FaultKind::illegal_instruction, message};
}

}  // namespace vgpu
