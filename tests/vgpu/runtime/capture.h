#pragma once

#include <driver_types.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "tests/vgpu/runtime/graph.h"
#include "tests/vgpu/runtime/operation.h"

struct CUstream_st;
struct CUevent_st;

namespace vgpu {

class Runtime;

// Streams that record a graph instead of queuing work.
struct Capture {
  std::uint64_t id = 0;
  std::unique_ptr<CUgraph_st> graph;
  const CUstream_st* origin = nullptr;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;    // that began it
  bool invalidated = false;  // by a call that may not be captured
  bool ended = false;
};

// Adds the operation to the graph that the stream captures.
void capture_operation(CUstream_st& stream, Operation operation);

// An event wait that concerns a capture: the stream goes on after the event, and joins its capture
// where it does not capture yet.
void capture_wait(Runtime& runtime, CUstream_st& stream, const CUevent_st& event);

// Fails where the calling thread may not make a call that is unsafe while streams capture, such as
// an allocation; the captures are invalidated.
void refuse_unsafe_call(Runtime& runtime);

// Where the stream captures, its capture can only end badly from now on.
void invalidate_capture(CUstream_st& stream);

// Fails where the stream captures: what it records is not going to run, so waiting has no sense.
void refuse_waiting(CUstream_st& stream);

// Fails where the call named can not become part of a graph.
void refuse_capture(const CUstream_st& stream, const char* call);

// Work of the legacy stream would depend on what blocking streams capture: fails where one does.
void refuse_implicit_dependency(Runtime& runtime);

}  // namespace vgpu
