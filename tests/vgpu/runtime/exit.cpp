// What is left to say when the program ends. This runs as the library's destructor, after the
// program's own exit handlers and static destructors.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/status.h"

namespace vgpu {
namespace {

// The code that the program ends with, once it ends.
int& exit_code() {
  static int code = 0;
  return code;
}

void report_leaks(Runtime& runtime) {
  for (const Allocation& allocation : runtime.memory.live()) {
    if (runtime.release_queued.contains(allocation.address) ||
        runtime.registry.is_managed_variable(allocation.address)) {
      continue;
    }
    runtime.reports.add(ReportKind::leak,
                        fmt::format("{} bytes of {} at {:#x} were never freed", allocation.bytes,
                                    allocation.origin, allocation.address));
  }
}

// Such work never ran, so no check has seen it.
void report_unwaited(Runtime& runtime) {
  const std::size_t pieces = runtime.queue.pending();
  if (pieces == 0) return;
  runtime.reports.add(
      ReportKind::unwaited,
      fmt::format("the program never waited for what it submitted, pieces of work: {}", pieces));
}

[[gnu::destructor]] void at_exit() {
  if (Runtime::existing() == nullptr) return;  // a process that has nothing to do with CUDA
  Runtime& runtime = *Runtime::existing();
  const std::lock_guard lock(runtime.mutex);
  // A program that failed ended before it came to free its memory, and a lost device frees nothing.
  const bool orderly = exit_code() == 0 && runtime.device_error == cudaSuccess;
  if (orderly) report_unwaited(runtime);
  if (runtime.settings.checks.memory && orderly) report_leaks(runtime);
  if (runtime.counters_file.wanted() && !runtime.counters_file.write()) {
    append_status(runtime.settings.status_file, kStatusReport);
  }
  if (runtime.reports.total() > 0) {
    fmt::print(stderr, "vgpu: reported {}\n", runtime.reports.summary());
  }
}

}  // namespace

void watch_exit_code() {
  on_exit([](int code, void*) { exit_code() = code; }, nullptr);
}

}  // namespace vgpu
