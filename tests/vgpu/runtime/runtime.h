#pragma once

#include <driver_types.h>

#include <cstdint>
#include <mutex>
#include <set>
#include <utility>

#include "tests/vgpu/device.h"
#include "tests/vgpu/runtime/counters_file.h"
#include "tests/vgpu/runtime/error.h"
#include "tests/vgpu/runtime/event.h"
#include "tests/vgpu/runtime/graph.h"
#include "tests/vgpu/runtime/handles.h"
#include "tests/vgpu/runtime/registration.h"
#include "tests/vgpu/runtime/settings.h"
#include "tests/vgpu/runtime/stream.h"
#include "tests/vgpu/runtime/work.h"

namespace vgpu {

// All state of the runtime stand-in. It is made by the first call, which comes before the program's
// static constructors, and is never destroyed, because calls still come from its static
// destructors.
class Runtime {
 public:
  static Runtime& get();
  // Whether this process has used the runtime: null, or what get() returns.
  static Runtime* existing();

  const Settings settings;
  std::mutex mutex;  // held by every call but those of the error queries
  Memory memory;
  Reports reports;
  WorkQueue queue;
  Registry registry;
  Streams streams;
  Handles<CUevent_st> events;
  Handles<CUgraph_st> graphs;
  Handles<CUgraphExec_st> executable_graphs;
  CountersFile counters_file;
  bool counting;  // whether launches that run now go into the counters' file

  cudaError_t device_error = cudaSuccess;  // what the device faulted with; it stays
  std::uint64_t launches = 0;              // that have run
  std::set<Address> release_queued;        // freed by a stream, now or in its turn

 private:
  Runtime();
};

// From now on the code that the program exits with is known to what is done at its end.
void watch_exit_code();

// The calling thread's last error, as cudaGetLastError sees it.
cudaError_t& last_error();

// True while this thread runs a host function of a stream, in which calls are not permitted.
bool& in_host_function();

// Keeps the error of a call for cudaGetLastError and returns it.
cudaError_t record(cudaError_t error);

// What an exception that left a call's body means as an error. Called inside a catch block.
cudaError_t error_of_exception(Runtime& runtime);

// Whether a call needs the device to be in order. One that only asks what there is does not.
enum class Needs { working_device, nothing };

// Runs the body of a runtime call under the lock. It ends well by returning and badly by throwing;
// after a device fault it does not run at all, if it needs the device.
template <typename Body>
cudaError_t api_call(Body&& body, Needs needs = Needs::working_device) {
  if (in_host_function()) return record(cudaErrorNotPermitted);
  Runtime& runtime = Runtime::get();
  const std::lock_guard lock(runtime.mutex);
  if (needs == Needs::working_device && runtime.device_error != cudaSuccess) {
    return record(runtime.device_error);
  }
  try {
    std::forward<Body>(body)(runtime);
  } catch (...) {
    return record(error_of_exception(runtime));
  }
  return cudaSuccess;
}

}  // namespace vgpu
