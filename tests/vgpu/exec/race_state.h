#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

// What the race check remembers.
//
// Accesses are ordered by vector clocks. Inside a unit, which is a block or a cluster, each warp
// has a clock that advances when it hands anything on, and knows how far each warp is ordered
// before it; what it knows of itself holds between its lanes. Between units, each unit has a clock
// that advances at fences.
namespace vgpu {

struct RaceAccess {
  std::uint32_t clock = 0;  // of the warp, from 1; 0: no access
  std::uint32_t unit = 0;
  std::uint32_t unit_clock = 0;
  std::uint16_t warp = 0;  // in the unit
  std::uint8_t lane = 0;   // kSeveralLanes: more than one, of which any may be meant
  bool strong : 1 = false;
  bool async : 1 = false;  // by the asynchronous proxy
  std::int32_t location = -1;
};
inline constexpr std::uint8_t kSeveralLanes = 32;

// Of a few bytes of memory: the last store, and the loads since of two different warps. One line of
// the host's cache.
struct alignas(64) RaceGranule {
  RaceAccess store;
  std::array<RaceAccess, 2> loads;
  // Whose it was: of shared memory a unit's, of global memory a launch's. Another one finds it as
  // if untouched.
  std::uint32_t owner = 0;
};

// By warp of a unit: the clock up to which its accesses are ordered before something, and the clock
// up to which a proxy fence stands between, so that the asynchronous proxy sees its stores too.
struct RaceClocks {
  std::vector<std::uint32_t> ordered, proxied;
};

class RaceUnit {
 public:
  RaceUnit(std::uint32_t number, std::size_t warps);

  std::uint32_t number = 0;                             // from 1
  std::vector<std::uint32_t> now;                       // by warp: its clock, from 1
  std::vector<RaceClocks> known;                        // by warp: what is before it
  std::vector<RaceClocks> published;                    // by warp: what was before its last fence
  std::unordered_map<const void*, RaceClocks> objects;  // what releases of an object published

  std::uint32_t clock = 1;                                 // of the unit
  std::vector<std::uint32_t> fence_clock;                  // by warp: the unit's at its last fence
  std::unordered_map<std::uint32_t, std::uint32_t> units;  // how far others are ordered before
  std::vector<std::vector<std::uint64_t>> reading;  // by warp: places that a strong access reads
};

// Waiting for one is short, or the thread that has it does not run.
class SpinLock {
 public:
  void lock();
  void unlock() { taken_.store(false, std::memory_order_release); }

 private:
  alignas(64) std::atomic<bool> taken_{false};
};

// Where granules of global memory are: a page of it at a time, in the order in which a launch comes
// to them. The next launch has the same ones, which are mapped and may be in the caches.
struct RacePages {
  RacePages(std::uint64_t pages, std::uint64_t granules);
  ~RacePages();
  RacePages(const RacePages&) = delete;
  RacePages& operator=(const RacePages&) = delete;

  std::uint64_t pages, granules;  // at most
  std::uint64_t* places;  // by page of global memory: its launch, and its place among `first`
  RaceGranule* first;
  std::uint32_t launch = 0;  // number of the latest
};

// What all units of a launch share.
class RaceGrid {
 public:
  // `granule_bytes` is what the kernel's accesses are multiples of, so that no two of them share a
  // granule by half.
  RaceGrid(std::uint64_t memory_bytes, std::uint32_t granule_bytes);
  ~RaceGrid();
  RaceGrid(const RaceGrid&) = delete;
  RaceGrid& operator=(const RaceGrid&) = delete;

  // Which granule of its region holds an offset.
  [[nodiscard]] std::uint64_t index(std::uint64_t offset) const { return offset >> shift_; }
  [[nodiscard]] std::uint64_t granule_bytes() const { return std::uint64_t{1} << shift_; }
  // The granules of the page of global memory that holds an offset.
  static constexpr std::uint64_t kPage = 4096;  // bytes
  [[nodiscard]] RaceGranule* page(std::uint64_t offset);
  // Whose the granules of global memory are.
  [[nodiscard]] std::uint32_t launch() const { return pages_->launch; }
  // Guards the granules of a line of global memory.
  SpinLock& lock(std::uint64_t offset) { return locks_[offset / 128 % locks_.size()]; }

  std::mutex objects_mutex;
  std::unordered_map<std::uint64_t, std::unordered_map<std::uint32_t, std::uint32_t>> objects;

 private:
  int shift_ = 0;
  std::unique_ptr<RacePages> pages_;
  std::mutex pages_mutex_;
  std::uint64_t pages_taken_ = 0;
  std::array<SpinLock, 256> locks_;
};

}  // namespace vgpu
