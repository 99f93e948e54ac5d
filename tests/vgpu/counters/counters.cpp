#include "tests/vgpu/counters/counters.h"

#include <cstddef>

namespace vgpu {

Traffic& Traffic::operator+=(const Traffic& other) {
  requests += other.requests;
  bytes += other.bytes;
  sectors += other.sectors;
  return *this;
}

SharedLine& SharedLine::operator+=(const SharedLine& other) {
  requests += other.requests;
  passes += other.passes;
  conflicts += other.conflicts;
  return *this;
}

Counters& Counters::operator+=(const Counters& other) {
  for (std::size_t i = 0; i < thread_instructions.size(); ++i) {
    thread_instructions[i] += other.thread_instructions[i];
    warp_instructions[i] += other.warp_instructions[i];
  }
  for (std::size_t i = 0; i < flops.size(); ++i) flops[i] += other.flops[i];
  global_load += other.global_load;
  global_store += other.global_store;
  global_atomic += other.global_atomic;
  local_load += other.local_load;
  local_store += other.local_store;
  shared_load += other.shared_load;
  shared_store += other.shared_store;
  shared_atomic += other.shared_atomic;
  for (const auto& [place, warps] : other.instruction_lines) instruction_lines[place] += warps;
  bank_conflicts += other.bank_conflicts;
  for (const auto& [place, line] : other.shared_lines) shared_lines[place] += line;
  shared_passes += other.shared_passes;
  divergent_branches += other.divergent_branches;
  barriers += other.barriers;
  return *this;
}

std::string_view name(InstructionClass c) {
  constexpr std::string_view names[kInstructionClasses] = {
      "integer", "floating", "special", "conversion", "move",       "control", "load_store",
      "atomic",  "barrier",  "warp",    "matrix",     "async_copy", "other"};
  return names[static_cast<int>(c)];
}

std::string_view name(Precision p) {
  constexpr std::string_view names[kPrecisions] = {"f64", "f32", "f16", "bf16", "tf32"};
  return names[static_cast<int>(p)];
}

}  // namespace vgpu
