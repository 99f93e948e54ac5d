#include "tests/vgpu/exec/warp.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "tests/vgpu/exec/barrier.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/posed.h"

namespace vgpu {
namespace {

constexpr std::uint32_t kNoLimit = ~std::uint32_t{0};
// Back-branches of one fragment before another gets its turn, and branches for which that one then
// keeps it. Without this, lanes that spin on a lock would keep its holder from running.
constexpr std::uint32_t kBackBranches = 64;
constexpr std::uint32_t kPriorityBranches = 32;
constexpr std::uint32_t kMaxDepth = 4096;
constexpr std::uint32_t kMaxStackBytes = 512 << 10;

void drop_reference(Warp& w, Frame* frame) {
  while (--frame->fragments == 0 && frame->caller != nullptr) {
    Frame* caller = frame->caller;
    leave_frame(w, frame);
    frame = caller;
  }
}

bool mergeable(const Fragment& a, const Fragment& b) {
  return a.frame == b.frame && a.pc == b.pc && a.state != Fragment::State::waiting &&
         b.state != Fragment::State::waiting;
}

void store_current(Warp& w) {
  if (w.active == 0) return;
  w.fragments.push_back({w.active, w.pc, w.frame, w.state, w.barrier});
  w.active = 0;
}

void load(Warp& w, std::size_t index) {
  const Fragment f = w.fragments[index];
  w.fragments.erase(w.fragments.begin() + static_cast<std::ptrdiff_t>(index));
  w.active = f.mask;
  w.pc = f.pc;
  w.frame = f.frame;
  w.state = Fragment::State::runnable;
  w.barrier = -1;
  w.rows = f.frame->rows.data();
  w.code = f.frame->function->code.data();
  w.back_branches = kBackBranches;
}

// Fragments that met at one instruction become one; what converged there tries again.
void merge(Warp& w) {
  auto& fragments = w.fragments;
  for (std::size_t i = 0; i < fragments.size(); ++i) {
    for (std::size_t j = i + 1; j < fragments.size();) {
      if (!mergeable(fragments[i], fragments[j])) {
        ++j;
        continue;
      }
      fragments[i].mask |= fragments[j].mask;
      fragments[i].state = Fragment::State::runnable;
      drop_reference(w, fragments[j].frame);
      fragments.erase(fragments.begin() + static_cast<std::ptrdiff_t>(j));
    }
  }
}

// The runnable fragment that is deepest in calls and, among these, first in the code. That order
// lets the lanes that are behind catch up.
bool choose(Warp& w, bool rotate) {
  merge(w);
  constexpr std::size_t kNone = ~std::size_t{0};
  std::size_t best = kNone;
  for (std::size_t i = 0; i < w.fragments.size(); ++i) {
    const Fragment& f = w.fragments[i];
    if (f.state != Fragment::State::runnable) continue;
    if (best == kNone) {
      best = i;
      if (rotate) break;  // the one that has waited longest
      continue;
    }
    const Fragment& b = w.fragments[best];
    if (f.frame->depth > b.frame->depth || (f.frame->depth == b.frame->depth && f.pc < b.pc))
      best = i;
  }
  if (best == kNone) return false;
  load(w, best);
  w.priority = rotate ? kPriorityBranches : 0;
  w.limit = kNoLimit;
  retarget(w);
  return true;
}

template <bool kCounting>
void execute(Warp& w) {
  do {
    const Instruction& ins = w.code[w.pc];
    const LaneMask mask = w.active & (predicate(w, ins.guard) ^ ins.guard_flip);
    if constexpr (kCounting) {
      auto& executions = w.worker->executions[w.frame->function->first_counter + w.pc];
      executions.warps += mask != 0 ? 1 : 0;
      executions.threads += static_cast<std::uint64_t>(std::popcount(mask));
    }
    ++w.pc;
    if (mask != 0) ins.handler(w, ins, mask);
  } while (w.pc < w.limit);
}

std::uint32_t special_value(const Warp& w, Special s, std::uint32_t lane) {
  const LaunchState& launch = *w.worker->launch;
  const Block& block = *w.block;
  const Dim3 thread = thread_index(launch, w.index, lane);
  const Dim3 c = launch.cluster;
  switch (s) {
    case Special::tid_x:
      return thread.x;
    case Special::tid_y:
      return thread.y;
    case Special::tid_z:
      return thread.z;
    case Special::ntid_x:
      return launch.block.x;
    case Special::ntid_y:
      return launch.block.y;
    case Special::ntid_z:
      return launch.block.z;
    case Special::ctaid_x:
      return block.index.x;
    case Special::ctaid_y:
      return block.index.y;
    case Special::ctaid_z:
      return block.index.z;
    case Special::nctaid_x:
      return launch.grid.x;
    case Special::nctaid_y:
      return launch.grid.y;
    case Special::nctaid_z:
      return launch.grid.z;
    case Special::laneid:
      return lane;
    case Special::warpid:
      return w.index;
    case Special::nwarpid:
      return kDevice.threads_per_multiprocessor / kLanes;
    case Special::smid:
      return static_cast<std::uint32_t>(block.number % std::uint64_t{posed.multiprocessors});
    case Special::nsmid:
      return posed.multiprocessors;
    case Special::gridid:
      return 1;
    case Special::lanemask_eq:
      return 1u << lane;
    case Special::lanemask_lt:
      return (1u << lane) - 1;
    case Special::lanemask_le:
      return (2u << lane) - 1;
    case Special::lanemask_ge:
      return ~((1u << lane) - 1);
    case Special::lanemask_gt:
      return ~((2u << lane) - 1);
    case Special::clusterid_x:
      return block.index.x / c.x;
    case Special::clusterid_y:
      return block.index.y / c.y;
    case Special::clusterid_z:
      return block.index.z / c.z;
    case Special::nclusterid_x:
      return launch.clusters.x;
    case Special::nclusterid_y:
      return launch.clusters.y;
    case Special::nclusterid_z:
      return launch.clusters.z;
    case Special::cluster_ctaid_x:
      return block.index.x % c.x;
    case Special::cluster_ctaid_y:
      return block.index.y % c.y;
    case Special::cluster_ctaid_z:
      return block.index.z % c.z;
    case Special::cluster_nctaid_x:
      return c.x;
    case Special::cluster_nctaid_y:
      return c.y;
    case Special::cluster_nctaid_z:
      return c.z;
    case Special::cluster_ctarank:
      return block.cluster_rank;
    case Special::cluster_nctarank:
      return static_cast<std::uint32_t>(c.count());
    case Special::is_explicit_cluster:
      return c.count() > 1 ? 1 : 0;
    case Special::dynamic_smem_size:
      return launch.launch->dynamic_shared_bytes;
    case Special::total_smem_size:
    case Special::aggr_smem_size:
      return launch.kernel->info.static_shared_bytes + launch.launch->dynamic_shared_bytes;
    case Special::envreg1:
      return static_cast<std::uint32_t>(launch.workspace >> 32);
    case Special::envreg2:
      return static_cast<std::uint32_t>(launch.workspace);
    case Special::local_base:
      break;  // the frame's
  }
  return 0;
}

// The same in every block, for a warp of the same number.
bool stays(Special s) {
  return s <= Special::ntid_z || s == Special::laneid || s == Special::warpid ||
         (s >= Special::lanemask_eq && s <= Special::lanemask_gt);
}

bool differs_by_lane(Special s) {
  return s <= Special::tid_z || s == Special::laneid ||
         (s >= Special::lanemask_eq && s <= Special::lanemask_gt);
}

// `fresh`: the rows have not yet held the special registers of this warp and function.
void fill_specials(const Warp& w, Frame& frame, bool fresh) {
  for (const SpecialRow& s : frame.function->specials) {
    if (!fresh && stays(s.special)) continue;
    std::uint64_t value = 0;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      if (s.special == Special::local_base) {
        value = std::uint64_t{frame.local_base} + s.addend;
      } else if (lane == 0 || differs_by_lane(s.special)) {
        value = special_value(w, s.special, lane);
      }
      std::memcpy(frame.rows.data() + s.offset + std::size_t{lane} * s.bytes, &value, s.bytes);
    }
  }
}

// Local memory of all lanes grows to hold `bytes` a lane.
void reserve_local(Warp& w, std::uint32_t bytes) {
  LocalMemory& local = w.local;
  if (bytes <= local.stride) return;
  if (bytes > kMaxStackBytes) {
    throw Fault{
        FaultKind::illegal_address,
        fmt::format("stack overflow: more than {} bytes of local memory, {}", kMaxStackBytes,
                    describe_thread(w, static_cast<std::uint32_t>(std::countr_zero(w.active))))};
  }
  const std::uint32_t stride = std::max(bytes, std::min(2 * local.stride, kMaxStackBytes));
  LocalMemory grown;
  grown.stride = stride;
  grown.bytes.assign(std::size_t{stride} * kLanes, std::byte{0xff});
  grown.shadow.assign(std::size_t{stride} * kLanes, 0);
  for (std::size_t lane = 0; lane < kLanes && local.stride > 0; ++lane) {
    std::memcpy(&grown.bytes[lane * stride], &local.bytes[lane * local.stride], local.stride);
    std::memcpy(&grown.shadow[lane * stride], &local.shadow[lane * local.stride], local.stride);
  }
  local = std::move(grown);
}

void mark_locals(Warp& w, const Frame& frame, std::uint8_t value) {
  for (const Extent& e : frame.function->locals) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      std::memset(&w.local.shadow[lane * w.local.stride + frame.local_base + e.offset], value,
                  e.bytes);
    }
  }
}

}  // namespace

AlignedBytes::AlignedBytes(std::size_t size) : size_(size) {
  const std::size_t rounded = (size + 63) / 64 * 64;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, std::max<std::size_t>(rounded, 64))));
  if (data_ == nullptr) throw std::bad_alloc();
}

void AlignedBytes::Free::operator()(std::byte* p) const { std::free(p); }

Dim3 thread_index(const LaunchState& launch, std::uint32_t warp, std::uint32_t lane) {
  const std::uint32_t t = warp * kLanes + lane;
  const Dim3& b = launch.block;
  return {t % b.x, t / b.x % b.y, t / b.x / b.y};
}

std::string current_place(const Warp& w) {
  const auto& info = w.frame->function->info;
  const std::uint32_t pc = std::min<std::size_t>(w.current_pc(), info.size() - 1);
  return w.kernel().place(info[pc].location);
}

std::string describe_thread(const Warp& w, std::uint32_t lane) {
  const Dim3 t = thread_index(*w.worker->launch, w.index, lane);
  const Dim3& b = w.block->index;
  const std::string inside =
      w.frame->depth == 0 ? "" : fmt::format(" (in {})", w.frame->function->name);
  return fmt::format("kernel {}{}, block ({},{},{}), thread ({},{},{}), {}", w.kernel().info.name,
                     inside, b.x, b.y, b.z, t.x, t.y, t.z, current_place(w));
}

void report(const Warp& w, ReportKind kind, const std::string& message) {
  w.worker->launch->options->reports->add(
      kind, message, fmt::format("{}:{}", w.kernel().info.name, current_place(w)));
}

void start_warp(Warp& w) {
  w.fragments.clear();
  w.free_frames.clear();
  for (const auto& frame : w.frames) w.free_frames.push_back(frame.get());
  w.copies.clear();
  w.copy_groups.fill(0);
  w.bulk_copies.clear();
  w.bulk_groups.fill(0);
  w.family_state.clear();
  w.yielding = false;
  w.rotate = false;
  w.failed_waits = 0;
  w.live = w.threads;
  w.active = 0;
  Frame& base = w.base;
  base.function = w.kernel().entry;
  base.local_base = kFirstLocalOffset;
  base.fragments = 1;
  const auto& initial = base.function->frame;
  const bool fresh = base.rows.size() != initial.size();
  if (fresh) base.rows = AlignedBytes(initial.size());
  std::memcpy(base.rows.data(), initial.data(),
              fresh ? initial.size() : base.function->register_bytes);
  w.frame = &base;
  fill_specials(w, base, fresh);
  reserve_local(w, base.local_base + base.function->local_bytes);
  std::fill(w.local.shadow.begin(), w.local.shadow.end(), std::uint8_t{0});
  mark_locals(w, base, Memory::kAddressable);
  w.fragments.push_back({w.live, 0, &base, Fragment::State::runnable, -1});
}

void retarget(Warp& w) {
  if (w.limit == 0) return;
  w.limit = kNoLimit;
  if (w.priority > 0) --w.priority;
  for (const Fragment& f : w.fragments) {
    if (f.frame != w.frame) {
      if (f.state == Fragment::State::runnable && f.frame->depth > w.frame->depth &&
          w.priority == 0)
        return reschedule(w);
      continue;
    }
    if (f.pc == w.pc && f.state != Fragment::State::waiting) return reschedule(w);
    if (f.pc > w.pc) {
      w.limit = std::min(w.limit, f.pc);
    } else if (f.state == Fragment::State::runnable && w.priority == 0) {
      return reschedule(w);
    }
  }
}

bool run_warp(Warp& w) {
  if (!choose(w, w.rotate)) return false;
  w.rotate = false;
  const bool counting = w.worker->launch->options->counters != nullptr;
  w.slice = w.worker->slice;
  w.yielding = false;
  while (true) {
    if (w.limit != 0) {
      if (counting) {
        execute<true>(w);
      } else {
        execute<false>(w);
      }
    }
    const bool rotate = w.active != 0 && w.back_branches == 0;
    const bool stop = w.slice == 0 || w.yielding;
    w.rotate = stop && w.yielding;
    store_current(w);
    if (stop || !choose(w, rotate)) return true;
  }
}

void split(Warp& w, LaneMask mask, std::uint32_t pc) {
  ++w.frame->fragments;
  w.fragments.push_back({mask, pc, w.frame, Fragment::State::runnable, -1});
}

void park(Warp& w, Fragment::State state) {
  --w.pc;
  w.state = state;
  reschedule(w);
}

void exit_lanes(Warp& w, LaneMask mask) {
  w.live &= ~mask;
  w.active &= ~mask;
  ++w.worker->progress;
  for (Fragment& f : w.fragments) {
    if (f.state == Fragment::State::converging) f.state = Fragment::State::runnable;
  }
  if (w.active == 0) drop_reference(w, w.frame);
  if (w.live == 0) --w.block->live_warps;
  reschedule(w);
  threads_exited(*w.block);
}

void count_back_branch(Warp& w) {
  ++w.worker->iterations;
  if (--w.slice == 0) reschedule(w);
  if (w.fragments.empty()) return;
  if (--w.back_branches == 0) reschedule(w);
}

void enter_function(Warp& w, const Function& function, std::uint32_t call_pc) {
  Frame* caller = w.frame;
  if (caller->depth >= kMaxDepth) {
    throw Fault{
        FaultKind::illegal_address,
        fmt::format("calls nested deeper than {}, {}", kMaxDepth,
                    describe_thread(w, static_cast<std::uint32_t>(std::countr_zero(w.active))))};
  }
  if (w.free_frames.empty()) {
    w.frames.push_back(std::make_unique<Frame>());
    w.free_frames.push_back(w.frames.back().get());
  }
  Frame* frame = w.free_frames.back();
  w.free_frames.pop_back();
  frame->function = &function;
  frame->caller = caller;
  frame->depth = caller->depth + 1;
  frame->call_pc = call_pc;
  frame->local_base = caller->local_base + caller->function->local_bytes;
  frame->fragments = 1;
  if (frame->rows.size() < function.frame.size()) frame->rows = AlignedBytes(function.frame.size());
  std::memcpy(frame->rows.data(), function.frame.data(), function.frame.size());
  fill_specials(w, *frame, true);
  reserve_local(w, frame->local_base + function.local_bytes);
  mark_locals(w, *frame, Memory::kAddressable);
  // The running fragment's reference to the caller becomes the new frame's.
  w.frame = frame;
  w.rows = w.frame->rows.data();
  w.code = function.code.data();
  w.pc = 0;
  if (!w.fragments.empty()) reschedule(w);
}

void leave_frame(Warp& w, Frame* frame) {
  mark_locals(w, *frame, 0);
  w.free_frames.push_back(frame);
}

}  // namespace vgpu
