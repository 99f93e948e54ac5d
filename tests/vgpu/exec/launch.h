#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/vgpu/check/report.h"
#include "tests/vgpu/counters/counters.h"
#include "tests/vgpu/exec/module.h"
#include "tests/vgpu/memory/memory.h"

namespace vgpu {

struct Launch {
  const Kernel* kernel = nullptr;
  Dim3 grid, block;
  Dim3 cluster{0, 0, 0};  // zeros: no cluster, unless the kernel requires one
  std::uint32_t dynamic_shared_bytes = 0;
  std::uint32_t dynamic_shared_limit = 0;  // what the program opted in to; 0: what 48 KiB leaves
  bool cooperative = false;
  bool non_portable_cluster = false;  // up to 16 blocks a cluster
  std::vector<std::byte> parameters;  // KernelInfo::parameter_bytes, laid out by its offsets
};

// Why a launch cannot start, in the terms of the CUDA error that a real device gives.
enum class LaunchProblem {
  none,
  invalid_value,          // a grid, block or shared memory that device or kernel does not allow
  cooperative_too_large,  // the grid cannot be resident at once
  invalid_cluster,
  unsupported,  // see KernelInfo::unsupported
};

// `message` says in one line what is wrong; null leaves it out.
[[nodiscard]] LaunchProblem check(const Launch& launch, std::string* message);

// Blocks of this shape that one multiprocessor can hold, as far as threads, blocks and shared
// memory decide: registers are not known here.
[[nodiscard]] std::uint32_t resident_blocks(const KernelInfo& kernel, std::uint32_t threads,
                                            std::uint32_t dynamic_shared_bytes);

struct Checks {
  bool memory = true;  // bounds by allocation; without it only by the whole address space
  bool init = false;
  bool race = false;
  bool sync = true;  // shuffles from absent lanes; what ends a launch, such as a divergent barrier
                     // or a deadlock, is always reported
};

struct Options {
  Checks checks;
  std::uint64_t seed = 0;      // order of blocks and warps
  int threads = 0;             // 0: one per core. With 1 a run is repeatable to the last bit
  bool inject_errors = false;  // approximate functions err up to the bound that PTX states
  // Passes of loops by the warps of one host thread, without a store, a barrier or an exit anywhere
  // in the launch, before it counts as hung.
  std::uint64_t watchdog = std::uint64_t{1} << 28;
  Counters* counters = nullptr;                 // added to, when given
  Reports* reports = nullptr;                   // must be given
  std::function<void(std::string_view)> print;  // the device's printf; standard output by default
};

enum class FaultKind {
  none,
  illegal_address,
  misaligned_address,
  illegal_instruction,
  assertion,
  trap,
  hang,         // a deadlock, or the watchdog
  unsupported,  // met while running, for example a call of device-side malloc
};

// How a launch ended. A fault also was reported, if its kind is one that checks report. Every fault
// but `unsupported` is sticky: on a real device the context is lost.
struct Outcome {
  FaultKind fault = FaultKind::none;
  std::string message;

  [[nodiscard]] bool ok() const { return fault == FaultKind::none; }
  [[nodiscard]] bool sticky() const { return !ok() && fault != FaultKind::unsupported; }
};

// Runs a launch to its end. The launch must have passed check().
Outcome run(Memory& memory, const Launch& launch, const Options& options);

}  // namespace vgpu
