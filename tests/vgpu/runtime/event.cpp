#include "tests/vgpu/runtime/event.h"

#include <cuda_runtime_api.h>

#include <utility>

#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/runtime.h"

namespace vgpu {
namespace {

void create_event(Runtime& runtime, cudaEvent_t* handle, unsigned int flags) {
  constexpr unsigned int known = cudaEventBlockingSync | cudaEventDisableTiming;
  require(handle != nullptr && (flags & ~known) == 0);
  auto event = std::make_unique<CUevent_st>();
  event->flags = flags;
  *handle = &runtime.events.add(std::move(event));
}

void record_event(Runtime& runtime, cudaEvent_t handle, cudaStream_t stream_handle) {
  CUevent_st& event = runtime.events.find(handle);
  CUstream_st& stream = runtime.streams.find(stream_handle);
  if (stream.capture != nullptr) {
    require(!stream.capture->invalidated, cudaErrorStreamCaptureInvalidated);
    event.work = nullptr;
    event.capture = stream.capture;
    event.captured = stream.captured;
    return;
  }
  enqueue(runtime, stream, Marker{});
  event.work = stream.tail;
  event.capture = nullptr;
  event.captured.clear();
}

// An event that marks a place in a graph has nothing that could be waited for, also after the
// capture, until it is recorded anew.
void refuse_captured(const CUevent_st& event) {
  if (event.capture == nullptr) return;
  require(!event.capture->ended);
  event.capture->invalidated = true;
  fail(cudaErrorCapturedEvent);
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaEventCreate(cudaEvent_t* handle) {
  return api_call([&](Runtime& runtime) { vgpu::create_event(runtime, handle, cudaEventDefault); });
}

extern "C" cudaError_t cudaEventCreateWithFlags(cudaEvent_t* handle, unsigned int flags) {
  return api_call([&](Runtime& runtime) { vgpu::create_event(runtime, handle, flags); });
}

extern "C" cudaError_t cudaEventDestroy(cudaEvent_t handle) {
  return api_call([&](Runtime& runtime) { runtime.events.remove(runtime.events.find(handle)); });
}

extern "C" cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) { vgpu::record_event(runtime, handle, stream); });
}

extern "C" cudaError_t cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream,
                                                unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    require(flags == cudaEventRecordDefault || flags == cudaEventRecordExternal);
    if (flags == cudaEventRecordExternal) {
      vgpu::refuse_capture(runtime.streams.find(stream),
                           "cudaEventRecordWithFlags(cudaEventRecordExternal)");
    }
    vgpu::record_event(runtime, handle, stream);
  });
}

extern "C" cudaError_t cudaEventQuery(cudaEvent_t handle) {
  return api_call([&](Runtime& runtime) {
    const CUevent_st& event = runtime.events.find(handle);
    vgpu::refuse_captured(event);
    vgpu::require_ready(runtime, {event.work});
  });
}

extern "C" cudaError_t cudaEventSynchronize(cudaEvent_t handle) {
  return api_call([&](Runtime& runtime) {
    const CUevent_st& event = runtime.events.find(handle);
    vgpu::refuse_captured(event);
    runtime.queue.finish(vgpu::WorkPtr(event.work));
  });
}

// The virtual GPU models function, not time: whatever number it gave would be an invention.
extern "C" cudaError_t cudaEventElapsedTime(float*, cudaEvent_t, cudaEvent_t) {
  return api_call([](Runtime&) {
    vgpu::fail(cudaErrorNotSupported,
               "cudaEventElapsedTime is not supported: the virtual GPU has no time");
  });
}
