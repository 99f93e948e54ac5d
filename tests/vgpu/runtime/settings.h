#pragma once

#include <cstdint>
#include <string>

#include "tests/vgpu/exec/launch.h"
#include "tests/vgpu/posed.h"

namespace vgpu {

// What vgpu-run asks of the runtime stand-in, by environment variables.
struct Settings {
  Checks checks;           // VGPU_CHECK: of memory, init, race, sync, commas between; or none
  std::uint64_t seed = 0;  // VGPU_SEED: order of blocks, warps and unordered work
  int threads = 0;         // VGPU_THREADS: 0 is one per core
  std::uint64_t watchdog = Options{}.watchdog;  // VGPU_WATCHDOG: passes of loops; 0 is the default
  bool inject_errors = false;   // VGPU_INJECT_ERRORS: 1, approximate functions err as PTX allows
  std::string counters_file;    // VGPU_COUNTERS: JSON of all launches, written at exit
  bool counters_later = false;  // VGPU_COUNTERS_LATER: 1, only between cudaProfilerStart and Stop
  PosedLimits posed;            // VGPU_MULTIPROCESSORS, VGPU_SHARED_BYTES, VGPU_CAPABILITY (8.0):
                                // at most the model's
  std::string status_file;      // VGPU_STATUS: lines for vgpu-run, see status.h
};

// Sets the checks named in `names`, all others off. False where a name is unknown.
bool parse_checks(const std::string& names, Checks& checks);

// Reads the environment. A value that cannot be understood ends the process with one line: running
// on with other checks than were asked for would be a false pass.
Settings settings_from_environment();

}  // namespace vgpu
