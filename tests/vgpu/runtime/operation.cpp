#include "tests/vgpu/runtime/operation.h"

#include <fmt/format.h>

#include <utility>

#include "tests/vgpu/memory/pointer.h"
#include "tests/vgpu/runtime/library_call.h"
#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/transfer.h"

namespace vgpu {
namespace {

cudaError_t error_of(FaultKind fault) {
  switch (fault) {
    case FaultKind::none:
      return cudaSuccess;
    case FaultKind::illegal_address:
      return cudaErrorIllegalAddress;
    case FaultKind::misaligned_address:
      return cudaErrorMisalignedAddress;
    case FaultKind::illegal_instruction:
      return cudaErrorIllegalInstruction;
    case FaultKind::assertion:
      return cudaErrorAssert;
    case FaultKind::trap:
      return cudaErrorLaunchFailure;
    case FaultKind::hang:
      return cudaErrorLaunchTimeout;
    case FaultKind::unsupported:
      return cudaErrorNotSupported;
  }
  return cudaErrorUnknown;
}

// Checked access for library calls.
class LibraryAccess : public DeviceAccess {
 public:
  LibraryAccess(Runtime& runtime, const std::string& name) : runtime_(runtime), name_(name) {}

  void read(void* to, const void* from, std::size_t bytes) override {
    const auto address = address_of(from);
    settle_access(runtime_, runtime_.memory.read(to, address, bytes), name_.c_str());
  }

  void write(void* to, const void* from, std::size_t bytes) override {
    const auto address = address_of(to);
    settle_access(runtime_, runtime_.memory.write(address, from, bytes), name_.c_str());
  }

  [[noreturn]] void misaligned(const std::string& what) override {
    runtime_.reports.add(ReportKind::misaligned, fmt::format("{}: {}", name_, what));
    throw DeviceFault{cudaErrorMisalignedAddress};
  }

 private:
  Runtime& runtime_;
  const std::string& name_;
};

// Releases the runtime's lock: a host function may wait for other threads that call the runtime.
class Unlocked {
 public:
  explicit Unlocked(std::mutex& mutex) : mutex_(mutex) {
    mutex_.unlock();
    in_host_function() = true;
  }
  ~Unlocked() {
    in_host_function() = false;
    mutex_.lock();
  }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  std::mutex& mutex_;
};

class Executor {
 public:
  explicit Executor(Runtime& runtime) : runtime_(runtime) {}

  void operator()(const Marker&) const {}

  void operator()(const KernelLaunch& launch) const {
    const Settings& settings = runtime_.settings;
    const std::int64_t reported = runtime_.reports.total();
    Counters counters;
    Options options;
    options.checks = settings.checks;
    options.seed = settings.seed + runtime_.launches++;
    options.threads = settings.threads;
    options.watchdog = settings.watchdog;
    options.inject_errors = settings.inject_errors;
    options.counters = runtime_.counting ? &counters : nullptr;
    options.reports = &runtime_.reports;
    const Outcome outcome = run(runtime_.memory, launch.launch, options);
    if (runtime_.counting) runtime_.counters_file.add(launch.launch, counters);
    if (outcome.ok()) return;
    if (runtime_.reports.total() == reported) say(outcome.message);
    throw DeviceFault{error_of(outcome.fault)};
  }

  void operator()(const Copy& copy) const { transfer(runtime_, copy); }
  void operator()(const Fill& fill) const { transfer(runtime_, fill); }

  void operator()(const HostFunction& function) const {
    const Unlocked unlocked(runtime_.mutex);
    function.run();
  }

  void operator()(const LibraryCall& call) const {
    LibraryAccess access(runtime_, call.name);
    call.run(access);
  }

  void operator()(const Release& release) const { runtime_.memory.release(release.address); }

 private:
  Runtime& runtime_;
};

}  // namespace

void execute(Runtime& runtime, const Operation& operation) {
  std::visit(Executor(runtime), operation);
}

}  // namespace vgpu

extern "C" cudaError_t vgpuEnqueueLibraryCall(cudaStream_t stream, const char* name,
                                              std::function<void(vgpu::DeviceAccess&)> run) {
  return vgpu::api_call([&](vgpu::Runtime& runtime) {
    vgpu::enqueue(runtime, runtime.streams.find(stream), vgpu::LibraryCall{name, std::move(run)});
  });
}
