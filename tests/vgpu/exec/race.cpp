#include "tests/vgpu/exec/race.h"
namespace vgpu {
void race_start(Block&) {}
void race_arrive(Warp&) {}
void race_barrier(Block&, const std::vector<LaneMask>&) {}
void race_cluster_barrier(Block&) {}
void race_warp_sync(Warp&, LaneMask) {}
void race_shared(Warp&, Block&, const AccessDetail&, const std::uint64_t*, LaneMask) {}
void race_global(Warp&, const AccessDetail&, const std::uint64_t*, LaneMask) {}
}  // namespace vgpu
