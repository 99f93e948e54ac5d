#include "tests/vgpu/exec/race.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>

#include "tests/vgpu/exec/lanes.h"

namespace vgpu {
namespace {

void join(std::vector<std::uint32_t>& into, const std::vector<std::uint32_t>& from) {
  if (into.size() < from.size()) into.resize(from.size(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}
void join(RaceClocks& into, const RaceClocks& from) {
  join(into.ordered, from.ordered);
  join(into.proxied, from.proxied);
}

std::uint16_t number_of(const Warp& w) {
  return static_cast<std::uint16_t>(w.block->cluster_rank * w.block->warps.size() + w.index);
}

RaceUnit& unit_of(const Warp& w) { return *w.block->race; }

// What is before a point that the warp has reached, and from which its clock goes on: all that it
// knows and all that it has done.
RaceClocks pass_point(Warp& w) {
  RaceUnit& unit = unit_of(w);
  const std::uint16_t me = number_of(w);
  RaceClocks clocks = unit.known[me];
  clocks.ordered[me] = unit.now[me]++;
  return clocks;
}

// What a warp hands on: all that is before this point, or else what its last fence has published.
RaceClocks handed_on(Warp& w, bool relaxed) {
  return relaxed ? unit_of(w).published[number_of(w)] : pass_point(w);
}

// One warp's view while it checks an access.
class View {
 public:
  View(const RaceUnit& u, std::uint16_t warp) : unit(u), me(warp), known_(u.known[warp]) {}

  const RaceUnit& unit;
  const std::uint16_t me;

  // Whether the access is ordered before what lane does now.
  [[nodiscard]] bool ordered(const RaceAccess& a, std::uint32_t lane) const {
    if (a.clock == 0) return true;
    if (a.unit != unit.number) return other_clock(a.unit) >= a.unit_clock;
    if (a.warp == me && a.lane == lane) return true;
    return known_.ordered[a.warp] >= a.clock;
  }
  // Whether the asynchronous proxy sees it. Between units that is not followed.
  [[nodiscard]] bool proxied(const RaceAccess& a) const {
    return a.clock == 0 || a.async || a.unit != unit.number || known_.proxied[a.warp] >= a.clock;
  }

 private:
  // How far another unit is ordered before this one; 0: not at all, for its clock is from 1. Lanes
  // mostly ask for the one that the lane before has asked for.
  [[nodiscard]] std::uint32_t other_clock(std::uint32_t other) const {
    if (other != other_) {
      const auto found = unit.units.find(other);
      other_ = other;
      other_clock_ = found == unit.units.end() ? 0 : found->second;
    }
    return other_clock_;
  }

  const RaceClocks& known_;
  mutable std::uint32_t other_ = 0;
  mutable std::uint32_t other_clock_ = 0;
};

struct Conflict {
  const RaceAccess* other = nullptr;
  bool other_stores = false;
  bool other_proxy = false;  // it is ordered before, but in another proxy
};

// A place that is accessed, for messages.
struct Place {
  Warp& w;
  const AccessDetail& d;
  bool shared;
  std::uint64_t offset;
  std::uint32_t lane;
};

std::string describe(const Place& p) {
  if (!p.shared) {
    const Memory& memory = *p.w.worker->launch->memory;
    return memory.describe(memory.base() + p.offset);
  }
  return describe_shared_offset(p.w, p.offset);
}

void report_race(const Place& p, const Conflict& conflict) {
  const RaceAccess& other = *conflict.other;
  const RaceUnit& unit = unit_of(p.w);
  const bool same_unit = other.unit == unit.number;
  const bool same_warp = same_unit && other.warp == number_of(p.w);
  const ReportKind kind = conflict.other_proxy ? ReportKind::missing_proxy_fence
                          : same_warp          ? ReportKind::warp_race
                          : p.shared           ? ReportKind::shared_race
                                               : ReportKind::global_race;
  const auto warps = static_cast<std::uint32_t>(p.w.block->warps.size());
  std::string who;
  if (!same_unit) {
    who = fmt::format("block or cluster {}", other.unit - 1);
  } else if (p.w.block->cluster.size() > 1) {
    who = fmt::format("block {} of the cluster, warp {}", other.warp / warps, other.warp % warps);
  } else {
    who = fmt::format("warp {}", other.warp);
  }
  if (other.lane == kSeveralLanes) {
    who += ", several lanes";
  } else {
    who += fmt::format(", lane {}", other.lane);
  }
  const char* mine = p.d.kind == AccessKind::load    ? "load"
                     : p.d.kind == AccessKind::store ? "store"
                                                     : "atomic operation";
  report(
      p.w, kind,
      fmt::format("{} and a {} by {} at {} with {} between them: {}; {}", mine,
                  conflict.other_stores ? "store" : "load", who, p.w.kernel().place(other.location),
                  conflict.other_proxy ? "no fence.proxy.async" : "nothing", describe(p),
                  describe_thread(p.w, p.lane)));
}

// The first earlier access that the lane's races with.
Conflict find_conflict(const View& view, const RaceGranule& g, const AccessDetail& d,
                       std::uint32_t lane) {
  const bool strong = d.ordering != Ordering::weak;
  if (!(strong && g.store.strong) && !view.ordered(g.store, lane)) return {&g.store, true};
  if (d.kind == AccessKind::load) {
    if (d.async && !view.proxied(g.store)) return {&g.store, true, true};
    return {};
  }
  for (const RaceAccess& load : g.loads) {
    if (!(strong && load.strong) && !view.ordered(load, lane)) return {&load, false};
  }
  return {};
}

// By no lane yet.
RaceAccess make_access(const View& view, const Warp& w, const AccessDetail& d) {
  RaceAccess a;
  a.clock = view.unit.now[view.me];
  a.unit = view.unit.number;
  a.unit_clock = view.unit.clock;
  a.warp = view.me;
  a.strong = d.ordering != Ordering::weak;
  a.async = d.async;
  a.location = w.frame->function->info[w.current_pc()].location;
  return a;
}

bool by_one_warp(const RaceAccess& a, const RaceAccess& b) {
  return a.warp == b.warp && a.unit == b.unit;
}

// The newest comes first. It takes the place of a load of its own warp, or of one that is ordered
// before it, unless that one is weak and itself strong, so that it races with less; or else of the
// oldest.
inline void remember_load(const View& view, RaceGranule& g, const RaceAccess& mine,
                          std::uint8_t lane) {
  std::uint8_t lanes = lane;
  bool strong = mine.strong;
  for (const RaceAccess& other : g.loads) {
    if (!by_one_warp(other, mine)) continue;
    if (!view.ordered(other, lane)) lanes = kSeveralLanes;
    if (other.clock == mine.clock) strong = strong && other.strong;
  }
  auto& [latest, older] = g.loads;
  const bool weaker = latest.clock != 0 && !latest.strong && strong;
  if (weaker || (!by_one_warp(latest, mine) && !view.ordered(latest, lane))) older = latest;
  latest = mine;
  latest.lane = lanes;
  latest.strong = strong;
}

inline void remember(const View& view, RaceGranule& g, const AccessDetail& d,
                     const RaceAccess& mine, std::uint8_t lane) {
  if (d.kind == AccessKind::load) return remember_load(view, g, mine, lane);
  g.store = mine;
  g.store.lane = lane;
  g.loads = {};
}

// A weak load of what the same warp has just loaded: nearly all.
inline bool known_load(RaceGranule& g, const RaceAccess& mine, std::uint8_t lane) {
  RaceAccess& latest = g.loads[0];
  if (latest.clock != mine.clock || !by_one_warp(latest, mine)) return false;
  if (latest.lane != lane) latest.lane = kSeveralLanes;
  latest.strong = false;
  return true;
}

// Whether all that a weak access can race with is ordered before it.
inline bool all_ordered(const View& view, const RaceGranule& g, const AccessDetail& d,
                        std::uint8_t lane) {
  if (!view.ordered(g.store, lane)) return false;
  if (d.kind == AccessKind::load) return !d.async || view.proxied(g.store);
  return view.ordered(g.loads[0], lane) && view.ordered(g.loads[1], lane);
}

// Checks one granule for one lane and remembers the access. Returns whether a race was reported.
bool check_granule(const View& view, RaceGranule& g, const Place& p, const RaceAccess& mine,
                   LaneMask before, const std::byte* at) {
  Conflict conflict = find_conflict(view, g, p.d, p.lane);
  if (conflict.other != nullptr && conflict.other_stores && p.d.kind == AccessKind::store) {
    // Storing what is there already, or what another lane of this instruction stores, is harmless.
    const RaceAccess& other = *conflict.other;
    const bool same_instruction = by_one_warp(other, mine) && other.clock == mine.clock &&
                                  other.location == mine.location && other.lane < kLanes &&
                                  ((before >> other.lane) & 1) != 0;
    const bool harmless =
        same_instruction ? p.d.same_value != nullptr && p.d.same_value(p.w, p.d, p.lane, other.lane)
                         : p.d.holds_value != nullptr && p.d.holds_value(p.w, p.d, p.lane, at);
    if (harmless) conflict.other = nullptr;
  }
  if (conflict.other != nullptr) report_race(p, conflict);
  remember(view, g, p.d, mine, static_cast<std::uint8_t>(p.lane));
  return conflict.other != nullptr;
}

}  // namespace

RaceUnit::RaceUnit(std::uint32_t n, std::size_t warps)
    : number(n),
      now(warps, 1),
      known(warps, {std::vector<std::uint32_t>(warps, 0), std::vector<std::uint32_t>(warps, 0)}),
      published(warps),
      fence_clock(warps, 0),
      reading(warps) {}

void SpinLock::lock() {
  constexpr int kLooks = 64;  // before other threads get their turn
  while (taken_.exchange(true, std::memory_order_acquire)) {
    for (int looks = 0; taken_.load(std::memory_order_relaxed); ++looks) {
      if (looks >= kLooks) std::this_thread::yield();
    }
  }
}

namespace {

// Fresh pages are zero, which is the state of a place that nobody has accessed.
template <class T>
T* map_zeros(std::uint64_t count) {
  void* at = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return static_cast<T*>(at);
}

// What a launch leaves to the next one.
constexpr std::uint64_t kKeptGranules = std::uint64_t{2} << 20;  // 128 MiB of them
std::mutex kept_mutex;
std::unique_ptr<RacePages> kept_pages;

std::unique_ptr<RacePages> take_pages(std::uint64_t pages, std::uint64_t granules) {
  {
    const std::lock_guard lock(kept_mutex);
    if (kept_pages && kept_pages->pages >= pages && kept_pages->granules >= granules) {
      return std::move(kept_pages);
    }
  }
  return std::make_unique<RacePages>(pages, granules);
}

}  // namespace

RacePages::RacePages(std::uint64_t p, std::uint64_t g)
    : pages(p), granules(g), places(map_zeros<std::uint64_t>(p)), first(map_zeros<RaceGranule>(g)) {
  madvise(first, granules * sizeof(RaceGranule), MADV_HUGEPAGE);
}

RacePages::~RacePages() {
  munmap(places, pages * sizeof *places);
  munmap(first, granules * sizeof *first);
}

RaceGrid::RaceGrid(std::uint64_t memory_bytes, std::uint32_t granule_bytes)
    : shift_(std::countr_zero(granule_bytes)) {
  // A program allocates little by little, and those that are kept are to serve it for a while.
  constexpr std::uint64_t kStep = std::uint64_t{1} << 30;
  const std::uint64_t bytes = (memory_bytes / kStep + 1) * kStep;
  pages_ = take_pages(bytes / kPage, index(bytes));
  ++pages_->launch;
}

RaceGrid::~RaceGrid() {
  const std::uint64_t used = pages_taken_ * index(kPage);
  if (used > kKeptGranules) {
    madvise(pages_->first + kKeptGranules, (used - kKeptGranules) * sizeof(RaceGranule),
            MADV_DONTNEED);
  }
  const std::lock_guard lock(kept_mutex);
  kept_pages = std::move(pages_);
}

RaceGranule* RaceGrid::page(std::uint64_t offset) {
  const std::atomic_ref place(pages_->places[offset / kPage]);
  std::uint64_t known = place.load(std::memory_order_relaxed);
  if (known >> 32 != launch()) {
    const std::lock_guard lock(pages_mutex_);
    known = place.load(std::memory_order_relaxed);
    if (known >> 32 != launch()) {
      known = std::uint64_t{launch()} << 32 | pages_taken_++;
      place.store(known, std::memory_order_relaxed);
    }
  }
  return pages_->first + static_cast<std::uint32_t>(known) * index(kPage);
}

// ---- order ----

void race_arrive(Warp& w, Barrier& barrier, bool acquires, bool relaxed) {
  join(barrier.clocks, handed_on(w, relaxed));
  if (acquires) barrier.acquiring |= 1u << w.index;
}

void race_barrier(Block& block, const Barrier& barrier) {
  for (const auto& w : block.warps) {
    if (((barrier.acquiring >> w->index) & 1) == 0) continue;
    join(block.race->known[number_of(*w)], barrier.clocks);
  }
}

void race_cluster_barrier(Block& block) {
  RaceClocks all;
  for (Block* b : block.cluster) join(all, b->barriers[kClusterBarrier].clocks);
  for (Block* b : block.cluster) {
    for (const auto& w : b->warps) join(block.race->known[number_of(*w)], all);
  }
}

void race_warp_sync(Warp& w) { join(unit_of(w).known[number_of(w)], pass_point(w)); }

void race_release(Warp& w, const void* object, bool relaxed) {
  join(unit_of(w).objects[object], handed_on(w, relaxed));
}

void race_acquire(Warp& w, const void* object) {
  RaceUnit& unit = unit_of(w);
  const auto found = unit.objects.find(object);
  if (found != unit.objects.end()) join(unit.known[number_of(w)], found->second);
}

void race_fence(Warp& w) {
  RaceUnit& unit = unit_of(w);
  const std::uint16_t me = number_of(w);
  unit.published[me] = pass_point(w);
  unit.fence_clock[me] = unit.clock++;
}

void race_proxy_fence(Warp& w) { unit_of(w).known[number_of(w)].proxied = pass_point(w).ordered; }

void race_strong_access_over(Warp& w) {
  RaceUnit& unit = unit_of(w);
  std::vector<std::uint64_t>& reading = unit.reading[number_of(w)];
  if (reading.empty()) return;
  RaceGrid& grid = *w.worker->launch->race;
  const std::lock_guard lock(grid.objects_mutex);
  for (const std::uint64_t offset : reading) {
    const auto found = grid.objects.find(offset);
    if (found == grid.objects.end()) continue;
    for (const auto& [number, clock] : found->second) {
      auto& known = unit.units[number];
      known = std::max(known, clock);
    }
  }
  reading.clear();
}

namespace {

// What a strong access hands on and takes: a fence before it, or itself, has published; whatever it
// reads is taken, with or without a fence after it.
void order_through(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask,
                   const std::byte* region, bool global) {
  RaceUnit& unit = unit_of(w);
  const std::uint16_t me = number_of(w);
  const bool releases = d.ordering == Ordering::release || d.ordering == Ordering::acquire_release;
  if (releases) race_fence(w);
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::byte* at = region + offsets[lane];
    if (d.kind != AccessKind::store) {
      const auto found = unit.objects.find(at);
      if (found != unit.objects.end()) join(unit.known[me], found->second);
    }
    if (d.kind != AccessKind::load && !unit.published[me].ordered.empty()) {
      join(unit.objects[at], unit.published[me]);
    }
    if (!global) return;
    if (d.kind != AccessKind::store) unit.reading[me].push_back(offsets[lane]);
    RaceGrid& grid = *w.worker->launch->race;
    const std::lock_guard lock(grid.objects_mutex);
    if (d.kind != AccessKind::load && unit.fence_clock[me] != 0) {
      auto& object = grid.objects[offsets[lane]];
      auto& own = object[unit.number];
      own = std::max(own, unit.fence_clock[me]);
      for (const auto& [number, clock] : unit.units) {
        auto& known = object[number];
        known = std::max(known, clock);
      }
    }
  });
}

}  // namespace

// ---- accesses ----

namespace {

// A race is reported once for so many bytes of an access: elements of a vector share theirs, parts
// of a bulk copy need not.
constexpr std::uint64_t kReported = 16;

// Of one block's shared memory, which only the thread that runs the block accesses.
class SharedGranules {
 public:
  SharedGranules(const RaceGrid& grid, Block& owner, std::uint32_t unit)
      : grid_(grid), granules_(owner.race_shared.data()), unit_(unit) {}

  RaceGranule& at(std::uint64_t offset) { return granules_[grid_.index(offset)]; }
  void lock(std::uint64_t) {}
  [[nodiscard]] std::uint32_t owner() const { return unit_; }

 private:
  const RaceGrid& grid_;
  RaceGranule* granules_;
  std::uint32_t unit_;
};

// Of global memory. Lanes are mostly near to one another and share the page and the lock of their
// line.
class GlobalGranules {
 public:
  explicit GlobalGranules(RaceGrid& grid) : grid_(grid) {}

  RaceGranule& at(std::uint64_t offset) {
    const std::uint64_t number = offset / RaceGrid::kPage;
    if (number != number_) {
      number_ = number;
      page_ = grid_.page(offset);
    }
    return page_[grid_.index(offset % RaceGrid::kPage)];
  }
  void lock(std::uint64_t offset) {
    SpinLock& wanted = grid_.lock(offset);
    if (lock_.mutex() == &wanted) return;
    lock_ = {};
    lock_ = std::unique_lock(wanted);
  }
  [[nodiscard]] std::uint32_t owner() const { return grid_.launch(); }

 private:
  RaceGrid& grid_;
  std::uint64_t number_ = ~std::uint64_t{0};
  RaceGranule* page_ = nullptr;
  std::unique_lock<SpinLock> lock_;
};

template <class Granules>
void check_lanes(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask,
                 const std::byte* region, bool shared, Granules granules) {
  const std::uint64_t granule_bytes = w.worker->launch->race->granule_bytes();
  // They are seldom in a near cache; all lanes' are asked for before the first one is waited for.
  const std::uint64_t asked = std::min<std::uint64_t>(d.bytes, kReported);
  for_lanes(mask, [&](std::uint32_t lane) {
    for (std::uint64_t at = 0; at < asked; at += granule_bytes) {
      __builtin_prefetch(&granules.at(offsets[lane] + at), 1);
    }
  });
  const View view(unit_of(w), number_of(w));
  const std::uint32_t owner = granules.owner();
  const bool weak = d.ordering == Ordering::weak;
  const bool load = d.kind == AccessKind::load;
  const RaceAccess mine = make_access(view, w, d);
  for_lanes(mask, [&](std::uint32_t lane) {
    const auto own = static_cast<std::uint8_t>(lane);
    for (std::uint64_t at = 0; at < d.bytes; at += granule_bytes) {
      RaceGranule& g = granules.at(offsets[lane] + at);
      granules.lock(offsets[lane] + at);
      if (g.owner != owner) {
        g = {};
        g.owner = owner;
      }
      if (weak && all_ordered(view, g, d, own)) {
        if (!load || !known_load(g, mine, own)) remember(view, g, d, mine, own);
        continue;
      }
      const Place place{w, d, shared, offsets[lane] + at / kReported * kReported, lane};
      const LaneMask before = mask & ((LaneMask{1} << lane) - 1);
      if (check_granule(view, g, place, mine, before, region + offsets[lane])) {
        at = at / kReported * kReported + kReported - granule_bytes;
      }
    }
  });
}

}  // namespace

void race_shared(Warp& w, Block& owner, const AccessDetail& d, const std::uint64_t* offsets,
                 LaneMask mask) {
  if (d.ordering != Ordering::weak) order_through(w, d, offsets, mask, owner.shared.data(), false);
  check_lanes(w, d, offsets, mask, owner.shared.data(), true,
              SharedGranules(*w.worker->launch->race, owner, unit_of(w).number));
}

void race_global(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask) {
  const std::byte* region = w.worker->launch->memory->bytes();
  if (d.ordering != Ordering::weak) order_through(w, d, offsets, mask, region, true);
  check_lanes(w, d, offsets, mask, region, false, GlobalGranules(*w.worker->launch->race));
}

}  // namespace vgpu
