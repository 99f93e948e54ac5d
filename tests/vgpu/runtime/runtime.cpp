#include "tests/vgpu/runtime/runtime.h"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>
#include <exception>
#include <new>

#include "tests/vgpu/check/names.h"
#include "tests/vgpu/fatbin/fatbin.h"
#include "tests/vgpu/runtime/status.h"

namespace vgpu {

void say(std::string_view message) { fmt::print(stderr, "vgpu: {}\n", in_cpp(message)); }

void fail(cudaError_t code, std::string_view message) {
  say(message);
  throw ApiError{code};
}

namespace {

std::atomic<Runtime*> existing_runtime = nullptr;

}  // namespace

Runtime& Runtime::get() {
  static Runtime& runtime = *new Runtime;
  return runtime;
}

Runtime* Runtime::existing() { return existing_runtime; }

Runtime::Runtime()
    : settings(settings_from_environment()),
      reports(20,
              [this](std::string_view text) {
                fmt::print(stderr, "vgpu: {}\n", text);
                append_status(settings.status_file, kStatusReport);
              }),
      queue(mutex, settings.seed),
      counters_file(settings.counters_file),
      counting(counters_file.wanted() && !settings.counters_later) {
  posed = settings.posed;
  existing_runtime = this;
  watch_exit_code();
}

cudaError_t& last_error() {
  thread_local cudaError_t error = cudaSuccess;
  return error;
}

bool& in_host_function() {
  thread_local bool inside = false;
  return inside;
}

cudaError_t record(cudaError_t error) {
  if (error != cudaSuccess) last_error() = error;
  return error;
}

cudaError_t error_of_exception(Runtime& runtime) {
  try {
    throw;
  } catch (const ApiError& error) {
    return error.code;
  } catch (const DeviceFault& fault) {
    runtime.device_error = fault.code;
    runtime.queue.abandon();
    return fault.code;
  } catch (const FatbinError& error) {
    say(error.what());
    return cudaErrorNoKernelImageForDevice;
  } catch (const PtxError& error) {
    say(error.what());
    return cudaErrorInvalidPtx;
  } catch (const std::bad_alloc&) {
    return cudaErrorMemoryAllocation;
  } catch (const std::exception& error) {
    say(error.what());
    return cudaErrorUnknown;
  }
}

}  // namespace vgpu
