// Barriers of a block (bar, barrier), of a cluster (barrier.cluster) and of a warp
// (bar.warp.sync).
#include "tests/vgpu/exec/barrier.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

enum class Action : std::uint8_t { sync, arrive, red };
enum class Reduction : std::uint8_t { none, popc, all, any };

struct BarrierDetail : Detail {
  Action action = Action::sync;
  Reduction reduction = Reduction::none;
  bool aligned = true;
  bool has_count = false;
  std::uint32_t barrier = 0;  // row
  std::uint32_t count = 0;    // row
  std::uint32_t source = 0;   // predicate of a reduction
  LaneMask source_flip = 0;
};

// Threads of this warp as a barrier counts them: a warp that is there with all its living lanes
// counts in full.
std::uint32_t weight(const Warp& w, LaneMask arrived) {
  return (arrived & w.live) == w.live && arrived != 0
             ? kLanes
             : static_cast<std::uint32_t>(std::popcount(arrived));
}

bool complete(const Block& block, const Barrier& barrier) {
  if (barrier.expected != 0) {
    std::uint32_t threads = 0;
    for (const auto& w : block.warps) threads += weight(*w, barrier.arrived[w->index]);
    return threads >= barrier.expected;
  }
  return std::all_of(block.warps.begin(), block.warps.end(),
                     [&](const auto& w) { return (w->live & ~barrier.arrived[w->index]) == 0; });
}

std::uint32_t reduced(const Barrier& barrier, Reduction reduction) {
  switch (reduction) {
    case Reduction::popc:
      return barrier.popcount;
    case Reduction::all:
      return barrier.all ? kAllLanes : 0;
    case Reduction::any:
      return barrier.any ? kAllLanes : 0;
    case Reduction::none:
      break;
  }
  return 0;
}

void write_result(std::byte* rows, const Instruction& ins, const BarrierDetail& d,
                  const Barrier& barrier, LaneMask mask) {
  if (d.reduction == Reduction::none) return;
  const std::uint32_t value = reduced(barrier, d.reduction);
  if (d.reduction == Reduction::popc) {
    set_lanes(reinterpret_cast<std::uint32_t*>(rows + ins.to), mask,
              [=](std::uint32_t) { return value; });
  } else {
    auto& to = *reinterpret_cast<LaneMask*>(rows + ins.to);
    to = blend(to, value, mask);
  }
}

// Lets all that wait go on, and makes the barrier ready for its next use.
void release(Block& block, std::uint32_t number) {
  Barrier& barrier = block.barriers[number];
  if (block.worker->checks.race) race_barrier(block, barrier);
  for (const auto& w : block.warps) {
    for (Fragment& f : w->fragments) {
      if (f.state != Fragment::State::waiting || f.barrier != static_cast<std::int32_t>(number))
        continue;
      const Instruction& ins = f.frame->function->code[f.pc];
      write_result(f.frame->rows.data(), ins, static_cast<const BarrierDetail&>(*ins.detail),
                   barrier, f.mask);
      ++f.pc;
      f.state = Fragment::State::runnable;
      f.barrier = -1;
    }
  }
  ++block.worker->progress;
  barrier = Barrier{};
}

// All living lanes of the warp must be at an aligned barrier together.
bool aligned_here(Warp& w, LaneMask mask) {
  std::uint32_t everyone[kLanes];
  std::fill(std::begin(everyone), std::end(everyone), w.live);
  return converged(w, mask, everyone);
}

void run_barrier(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const BarrierDetail&>(*ins.detail);
  if (d.aligned && !aligned_here(w, mask)) return;
  const auto first = static_cast<std::uint32_t>(std::countr_zero(mask));
  const std::uint32_t number = row<std::uint32_t>(w, d.barrier)[first];
  const std::uint32_t count = d.has_count ? row<std::uint32_t>(w, d.count)[first] : 0;
  if (number >= 16 || (d.has_count && (count == 0 || count % kLanes != 0))) {
    throw Fault{FaultKind::illegal_instruction,
                fmt::format("barrier {} for {} threads: a barrier is 0 to 15 and its count a "
                            "positive multiple of 32; {}",
                            number, count, describe_thread(w, first))};
  }
  Block& block = *w.block;
  Barrier& barrier = block.barriers[number];
  if (barrier.arrived.empty()) {
    barrier.arrived.assign(block.warps.size(), 0);
    barrier.expected = count;
  }
  if (barrier.expected != count || (barrier.arrived[w.index] & mask) != 0) {
    const std::string message = fmt::format(
        "barrier {} is used for {} threads and for {}, or twice by a thread in one "
        "phase; {}",
        number, barrier.expected, count, describe_thread(w, first));
    report(w, ReportKind::divergent_barrier, message);
    throw Fault{FaultKind::hang, message};
  }
  barrier.arrived[w.index] |= mask;
  if (w.worker->checks.race) race_arrive(w, barrier, d.action != Action::arrive);
  ++w.worker->counters.barriers;
  if (d.reduction != Reduction::none) {
    const LaneMask value = (predicate(w, d.source) ^ d.source_flip) & mask;
    barrier.popcount += static_cast<std::uint32_t>(std::popcount(value));
    barrier.all = barrier.all && value == mask;
    barrier.any = barrier.any || value != 0;
  }
  if (complete(block, barrier)) {
    write_result(w.rows, ins, d, barrier, mask);
    release(block, number);
    if (!w.fragments.empty()) retarget(w);
    return;
  }
  if (d.action == Action::arrive) return;
  park(w, Fragment::State::waiting);
  w.barrier = static_cast<std::int32_t>(number);
  if (mask != w.active) {  // a guard let some lanes pass
    const LaneMask passing = w.active & ~mask;
    w.active = mask;
    split(w, passing, w.pc + 1);
  }
}

// ---- a warp's barrier ----

void run_warp_barrier(Warp& w, const Instruction& ins, LaneMask mask) {
  if (!converged(w, mask, row<std::uint32_t>(w, ins.a))) return;
  if (w.worker->checks.race) race_warp_sync(w);
}

void build_warp_barrier(Builder& b) {
  b.expect_operands(1);
  b.out.a = b.value(0, ptx::Type::b32);
  b.out.handler = run_warp_barrier;
}

void build_barrier(Builder& b) {
  if (b.take("warp")) {
    b.take("sync");
    build_warp_barrier(b);
    return;
  }
  if (b.take("cluster")) {
    build_cluster_barrier(b);
    return;
  }
  auto& d = b.detail<BarrierDetail>();
  b.take("cta");
  // bar is barrier.aligned by another name.
  d.aligned = b.take("aligned") || b.source().opcode == "bar";
  const int action = b.take_any({"sync", "arrive", "red"});
  if (action < 0) b.unsupported("an unknown action");
  d.action = static_cast<Action>(action);
  std::size_t next = 0;
  if (d.action == Action::red) {
    const int reduction = b.take_any({"popc", "and", "or"});
    if (reduction < 0) b.unsupported("an unknown reduction");
    d.reduction = static_cast<Reduction>(reduction + 1);
    if (d.reduction == Reduction::popc) {
      b.take("u32");
      b.out.to = b.result(next++, ptx::Type::u32);
    } else {
      b.take("pred");
      b.out.to = b.predicate_result(b.operand(next++));
    }
  }
  d.barrier = b.value(next++, ptx::Type::u32);
  const std::size_t after = b.operands() - (d.action == Action::red ? 1 : 0);
  if (next < after) {
    d.has_count = true;
    d.count = b.value(next++, ptx::Type::u32);
  }
  if (d.action == Action::red) {
    const auto [source, flip] = b.predicate_value(b.operand(next++));
    d.source = source;
    d.source_flip = flip;
  }
  b.expect_operands(next);
  b.out.handler = run_barrier;
}

}  // namespace

bool converged(Warp& w, LaneMask mask, const std::uint32_t* named) {
  LaneMask wanted = 0;
  for_lanes(mask, [&](std::uint32_t lane) { wanted |= named[lane]; });
  if ((wanted & w.live & ~mask) == 0) return true;
  if (mask != w.active) {  // lanes that the guard holds back go on
    const LaneMask passing = w.active & ~mask;
    w.active = mask;
    split(w, passing, w.pc);
  }
  if (!w.worker->executions.empty()) {  // it counts when all are there
    auto& executions = current_executions(w);
    --executions.warps;
    executions.threads -= static_cast<std::uint64_t>(std::popcount(mask));
  }
  park(w, Fragment::State::converging);
  return false;
}

void threads_exited(Block& block) {
  for (std::uint32_t number = 0; number < 16; ++number) {
    const Barrier& barrier = block.barriers[number];
    if (!barrier.arrived.empty() && complete(block, barrier)) release(block, number);
  }
  cluster_threads_exited(block);
}

std::string describe_waiting(const Block& block, bool& divergent) {
  std::string text;
  int lines = 0;
  for (const auto& w : block.warps) {
    const bool several = w->fragments.size() > 1;
    for (const Fragment& f : w->fragments) {
      if (++lines > 12) continue;
      const auto& info = f.frame->function->info[f.pc];
      divergent = divergent || (several && f.state == Fragment::State::converging);
      text += fmt::format("\n  block ({},{},{}), warp {}, lanes {:#010x}: {} at {}", block.index.x,
                          block.index.y, block.index.z, w->index, f.mask, info.spelling,
                          w->kernel().place(info.location));
    }
  }
  if (lines > 12) text += fmt::format("\n  and {} more", lines - 12);
  return text;
}

void add_barriers(OpcodeTable& table) {
  table.add("bar", InstructionClass::barrier, build_barrier);
  table.add("barrier", InstructionClass::barrier, build_barrier);
}

}  // namespace vgpu
