#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

// What the race check remembers.
//
// Accesses are ordered by vector clocks. Inside a unit, which is a block or a cluster, each warp
// has a clock that advances when it synchronises in any way, and knows how far each other warp is
// ordered before it. Between units, each unit has a clock that advances at fences.
namespace vgpu {

inline constexpr std::uint64_t kRaceGranule = 2;  // bytes: adjacent ones may be mixed up

struct RaceAccess {
  std::uint32_t clock = 0;  // of the warp, from 1; 0: no access
  std::uint32_t unit = 0;
  std::uint32_t unit_clock = 0;
  std::uint16_t warp = 0;  // in the unit
  std::uint8_t lane = 0;   // kSeveralLanes: more than one, of which any may be meant
  bool strong = false;
  std::int32_t location = -1;
};
inline constexpr std::uint8_t kSeveralLanes = 32;

// The last store, and the last loads of two different warps since.
struct RaceGranule {
  RaceAccess store;
  std::array<RaceAccess, 2> loads;
};

class RaceUnit {
 public:
  RaceUnit(std::uint32_t number, std::size_t warps);

  using Clocks = std::vector<std::uint32_t>;
  std::uint32_t number = 0;       // from 1
  std::vector<Clocks> known;      // by warp: how far each other warp is ordered before it
  std::vector<Clocks> published;  // by warp: what it knew at its last fence
  std::unordered_map<const void*, Clocks> objects;  // what releases of an object published

  std::uint32_t clock = 1;                                 // of the unit
  std::vector<std::uint32_t> fence_clock;                  // by warp: the unit's at its last fence
  std::unordered_map<std::uint32_t, std::uint32_t> units;  // how far others are ordered before
  // By warp: the global places that its latest strong access read. What it read there is only known
  // to be published once the access is over, for units run at the same time; so it is taken then.
  std::vector<std::vector<std::uint64_t>> reading;
};

// What all units of a launch share.
class RaceGrid {
 public:
  explicit RaceGrid(std::uint64_t memory_bytes);
  ~RaceGrid();
  RaceGrid(const RaceGrid&) = delete;
  RaceGrid& operator=(const RaceGrid&) = delete;

  RaceGranule& granule(std::uint64_t offset) { return granules_[offset / kRaceGranule]; }
  // Guards the granules of a line of memory.
  std::mutex& mutex(std::uint64_t offset) { return mutexes_[offset / 128 % mutexes_.size()]; }

  std::mutex objects_mutex;
  std::unordered_map<std::uint64_t, std::unordered_map<std::uint32_t, std::uint32_t>> objects;

 private:
  RaceGranule* granules_ = nullptr;
  std::uint64_t bytes_ = 0;
  std::array<std::mutex, 1024> mutexes_;
};

}  // namespace vgpu
