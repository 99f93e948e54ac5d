// Clusters of blocks: barrier.cluster, mapa and getctarank.
#include <algorithm>
#include <bit>
#include <cstdint>

#include <fmt/format.h>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/barrier.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

using ptx::Type;

// The arrived lanes are kept in each block's own barrier of this number. A lane's bit stays until
// the phase is complete, so a wait of a lane without its bit finds the phase complete already.
Barrier& cluster_barrier(Block& block) {
  Barrier& barrier = block.barriers[kClusterBarrier];
  if (barrier.arrived.empty()) barrier.arrived.assign(block.warps.size(), 0);
  return barrier;
}

void complete_phase(Block& block) {
  const bool all = std::all_of(block.cluster.begin(), block.cluster.end(), [](Block* b) {
    const Barrier& barrier = cluster_barrier(*b);
    return std::all_of(b->warps.begin(), b->warps.end(),
                       [&](const auto& w) { return (w->live & ~barrier.arrived[w->index]) == 0; });
  });
  const bool any = std::any_of(block.cluster.begin(), block.cluster.end(), [](Block* b) {
    const auto& arrived = cluster_barrier(*b).arrived;
    return std::any_of(arrived.begin(), arrived.end(), [](LaneMask m) { return m != 0; });
  });
  if (!all || !any) return;
  if (block.worker->checks.race) race_cluster_barrier(block);
  for (Block* b : block.cluster) {
    Barrier& barrier = cluster_barrier(*b);
    barrier.clocks = {};
    barrier.acquiring = 0;
    std::fill(barrier.arrived.begin(), barrier.arrived.end(), 0);
    for (const auto& w : b->warps) {
      for (Fragment& f : w->fragments) {
        if (f.state != Fragment::State::waiting || f.barrier != kClusterBarrier) continue;
        ++f.pc;
        f.state = Fragment::State::runnable;
        f.barrier = -1;
      }
    }
  }
  ++block.worker->progress;
}

bool aligned_here(Warp& w, const Instruction& ins, LaneMask mask) {
  if (ins.variant == 0) return true;
  std::uint32_t everyone[kLanes];
  std::fill(std::begin(everyone), std::end(everyone), w.live);
  return converged(w, mask, everyone);
}

void run_arrive(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!aligned_here(w, ins, mask)) return;
  Barrier& barrier = cluster_barrier(*w.block);
  if ((barrier.arrived[w.index] & mask) != 0) {
    const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
    const std::string message =
        fmt::format("barrier.cluster.arrive twice without a wait; {}", describe_thread(w, lane));
    report(w, ReportKind::divergent_barrier, message);
    throw Fault{FaultKind::hang, message};
  }
  barrier.arrived[w.index] |= mask;
  if (w.worker->checks.race) race_arrive(w, barrier, true, ins.immediate != 0);
  ++w.worker->counters.barriers;
  complete_phase(*w.block);
  if (!w.fragments.empty()) retarget(w);
}

void run_wait(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!aligned_here(w, ins, mask)) return;
  if ((cluster_barrier(*w.block).arrived[w.index] & mask) == 0) return;
  park(w, Fragment::State::waiting);
  w.barrier = kClusterBarrier;
  if (mask != w.active) {
    const LaneMask passing = w.active & ~mask;
    w.active = mask;
    split(w, passing, w.pc + 1);
  }
}

// mapa: the address of the same variable in another block of the cluster.
template <class T>
void run_map(Warp& w, const Instruction& ins, LaneMask mask) {
  const std::uint64_t window =
      ins.variant != 0 ? w.worker->launch->memory->shared_window() : std::uint64_t{0};
  const T* a = row<T>(w, ins.a);
  const auto* rank = row<std::uint32_t>(w, ins.b);
  const auto blocks = static_cast<std::uint32_t>(w.block->cluster.size());
  T* to = row<T>(w, ins.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint64_t offset = (static_cast<std::uint64_t>(a[lane]) - window) &
                                 ((std::uint64_t{1} << kClusterRankShift) - 1);
    if (rank[lane] >= blocks) {
      throw Fault{FaultKind::illegal_instruction,
                  fmt::format("mapa to block {} of a cluster of {}, {}", rank[lane], blocks,
                              describe_thread(w, lane))};
    }
    to[lane] =
        static_cast<T>(window + offset + ((std::uint64_t{rank[lane]} + 1) << kClusterRankShift));
  });
}

void build_map(Builder& b) {
  const bool shared = b.take_any({"shared::cluster", "shared"}) >= 0;
  const Type type = b.take_type();
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, Type::u32);
  b.out.variant = shared ? 0 : 1;
  b.out.handler = bytes(type) == 8 ? run_map<std::uint64_t> : run_map<std::uint32_t>;
}

template <class T>
void run_rank(Warp& w, const Instruction& ins, LaneMask mask) {
  const std::uint64_t window =
      ins.variant != 0 ? w.worker->launch->memory->shared_window() : std::uint64_t{0};
  const T* a = row<T>(w, ins.a);
  auto* to = row<std::uint32_t>(w, ins.to);
  const std::uint32_t own = w.block->cluster_rank;
  set_lanes(to, mask, [=](std::uint32_t lane) {
    const auto rank = static_cast<std::uint32_t>((static_cast<std::uint64_t>(a[lane]) - window) >>
                                                 kClusterRankShift);
    return rank == 0 ? own : rank - 1;
  });
}

void build_rank(Builder& b) {
  const bool shared = b.take_any({"shared::cluster", "shared"}) >= 0;
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, Type::u32);
  b.out.a = b.value(1, type);
  b.out.variant = shared ? 0 : 1;
  b.out.handler = bytes(type) == 8 ? run_rank<std::uint64_t> : run_rank<std::uint32_t>;
}

}  // namespace

void build_cluster_barrier(Builder& b) {
  const int action = b.take_any({"arrive", "wait"});
  b.out.immediate = b.take("relaxed") ? 1 : 0;
  b.take(action == 0 ? "release" : "acquire");
  b.out.variant = b.take("aligned") ? 1 : 0;
  b.expect_operands(0);
  if (action < 0) b.unsupported("an unknown action");
  b.out.handler = action == 0 ? run_arrive : run_wait;
}

void cluster_threads_exited(Block& block) {
  if (block.cluster.size() > 1) complete_phase(block);
}

void add_clusters(OpcodeTable& table) {
  table.add("mapa", InstructionClass::move, build_map);
  table.add("getctarank", InstructionClass::move, build_rank);
}

}  // namespace vgpu
