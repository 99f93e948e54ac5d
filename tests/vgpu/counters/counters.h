#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "tests/vgpu/limits.h"

namespace vgpu {

enum class InstructionClass {
  integer,
  floating,  // f32, f64, f16 and bf16 arithmetic
  special,   // approximate functions, division and square root
  conversion,
  move,
  control,
  load_store,
  atomic,
  barrier,
  warp,    // shuffles, votes, matches
  matrix,  // mma, wgmma, ldmatrix
  async_copy,
  other,
};
inline constexpr int kInstructionClasses = static_cast<int>(InstructionClass::other) + 1;

enum class Precision { f64, f32, f16, bf16, tf32 };
inline constexpr int kPrecisions = static_cast<int>(Precision::tf32) + 1;

// Traffic of one space in one direction.
struct Traffic {
  std::uint64_t requests = 0;  // warp instructions; of bulk copies each, a thread's
  std::uint64_t bytes = 0;     // asked for by the lanes
  std::uint64_t sectors = 0;   // distinct aligned 32-byte pieces, request by request

  Traffic& operator+=(const Traffic& other);
};

// What the accesses of shared memory by one line of the source come to.
struct SharedLine {
  std::uint64_t requests = 0;
  std::uint64_t passes = 0;     // of at most 128 bytes from different banks
  std::uint64_t conflicts = 0;  // passes beyond the least that the requests need

  SharedLine& operator+=(const SharedLine& other);
};

// Exact counts of one launch; the same for every schedule of a program that does not itself depend
// on the schedule.
struct Counters {
  std::array<std::uint64_t, kInstructionClasses> thread_instructions{};
  std::array<std::uint64_t, kInstructionClasses> warp_instructions{};
  std::array<std::uint64_t, kPrecisions> flops{};  // an fma is two; mma by its shape
  Traffic global_load, global_store, global_atomic, local_load, local_store, shared_load,
      shared_store, shared_atomic;
  std::map<std::string, std::uint64_t> instruction_lines;  // warps', by place in the source
  std::uint64_t bank_conflicts = 0;  // shared-memory passes beyond the least that a request needs
  std::map<std::string, SharedLine> shared_lines;  // by place in the source; those with conflicts
  std::uint64_t shared_passes = 0;                 // of all accesses
  std::uint64_t divergent_branches = 0;
  std::uint64_t barriers = 0;  // block barriers, counted a warp each

  Counters& operator+=(const Counters& other);
};

[[nodiscard]] std::string_view name(InstructionClass c);
[[nodiscard]] std::string_view name(Precision p);

}  // namespace vgpu
