#include "tests/vgpu/runtime/stream.h"

#include <cuda_runtime_api.h>

#include <utility>

#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/runtime.h"

namespace vgpu {

Streams::Streams() : legacy_(create(true, 0)) {}

CUstream_st& Streams::create(bool blocking, int priority) {
  auto stream = std::make_unique<CUstream_st>();
  stream->id = ++created_;
  stream->blocking = blocking;
  stream->priority = priority;
  return streams_.add(std::move(stream));
}

void Streams::destroy(CUstream_st& stream) {
  std::erase_if(orphans_, WorkQueue::done);
  if (stream.blocking && !WorkQueue::done(stream.tail)) orphans_.push_back(stream.tail);
  streams_.remove(stream);
}

CUstream_st& Streams::find(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy) return legacy_;
  if (handle == cudaStreamPerThread) {
    thread_local CUstream_st& own = create(true, 0);
    return own;
  }
  return streams_.find(handle);
}

std::vector<WorkPtr> Streams::order(const CUstream_st& stream) const {
  if (&stream != &legacy_) {
    return stream.blocking ? std::vector<WorkPtr>{stream.tail, legacy_.tail}
                           : std::vector<WorkPtr>{stream.tail};
  }
  std::vector<WorkPtr> all = orphans_;
  for_each([&](const CUstream_st& other) {
    if (other.blocking) all.push_back(other.tail);
  });
  return all;
}

void enqueue(Runtime& runtime, CUstream_st& stream, Operation operation) {
  if (stream.capture != nullptr) {
    capture_operation(stream, std::move(operation));
    return;
  }
  if (&stream == &runtime.streams.legacy()) refuse_implicit_dependency(runtime);
  stream.tail = runtime.queue.submit(
      [&runtime, operation = std::move(operation)] { execute(runtime, operation); },
      runtime.streams.order(stream));
}

void require_ready(Runtime& runtime, const std::vector<WorkPtr>& work) {
  bool ready = true;
  for (const WorkPtr& part : work) {
    ready = ready && WorkQueue::done(part);
    runtime.queue.finish(part);
  }
  require(ready, cudaErrorNotReady);
}

namespace {

void create(Runtime& runtime, cudaStream_t* handle, unsigned int flags, int priority) {
  require(handle != nullptr && (flags & ~static_cast<unsigned int>(cudaStreamNonBlocking)) == 0);
  *handle = &runtime.streams.create(flags != cudaStreamNonBlocking, priority);
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::require;
using vgpu::Runtime;
using vgpu::WorkPtr;

extern "C" cudaError_t cudaStreamCreate(cudaStream_t* handle) {
  return api_call([&](Runtime& runtime) { vgpu::create(runtime, handle, cudaStreamDefault, 0); });
}

extern "C" cudaError_t cudaStreamCreateWithFlags(cudaStream_t* handle, unsigned int flags) {
  return api_call([&](Runtime& runtime) { vgpu::create(runtime, handle, flags, 0); });
}

extern "C" cudaError_t cudaStreamCreateWithPriority(cudaStream_t* handle, unsigned int flags,
                                                    int priority) {
  return api_call([&](Runtime& runtime) { vgpu::create(runtime, handle, flags, priority); });
}

extern "C" cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return api_call([&](Runtime&) {
    if (least != nullptr) *least = 0;
    if (greatest != nullptr) *greatest = -5;
  });
}

extern "C" cudaError_t cudaStreamDestroy(cudaStream_t handle) {
  return api_call([&](Runtime& runtime) {
    CUstream_st& stream = runtime.streams.find(handle);
    require(&stream != &runtime.streams.legacy() && handle != cudaStreamPerThread,
            cudaErrorInvalidResourceHandle);
    vgpu::refuse_waiting(stream);
    runtime.streams.destroy(stream);
  });
}

extern "C" cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return api_call([&](Runtime& runtime) {
    CUstream_st& stream = runtime.streams.find(handle);
    vgpu::refuse_waiting(stream);
    if (&stream == &runtime.streams.legacy()) vgpu::refuse_implicit_dependency(runtime);
    for (const WorkPtr& work : runtime.streams.order(stream)) runtime.queue.finish(work);
  });
}

extern "C" cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return api_call([&](Runtime& runtime) {
    CUstream_st& stream = runtime.streams.find(handle);
    vgpu::refuse_waiting(stream);
    vgpu::require_ready(runtime, runtime.streams.order(stream));
  });
}

extern "C" cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event_handle,
                                           unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    require(flags == cudaEventWaitDefault || flags == cudaEventWaitExternal);
    CUstream_st& stream = runtime.streams.find(handle);
    const CUevent_st& event = runtime.events.find(event_handle);
    if (stream.capture != nullptr || event.capture != nullptr) {
      vgpu::capture_wait(runtime, stream, event);
      return;
    }
    std::vector<WorkPtr> after = runtime.streams.order(stream);
    after.push_back(event.work);
    stream.tail = runtime.queue.submit([] {}, after);
  });
}

extern "C" cudaError_t cudaStreamGetFlags(cudaStream_t handle, unsigned int* flags) {
  return api_call([&](Runtime& runtime) {
    require(flags != nullptr);
    *flags = runtime.streams.find(handle).blocking ? cudaStreamDefault : cudaStreamNonBlocking;
  });
}

extern "C" cudaError_t cudaStreamGetPriority(cudaStream_t handle, int* priority) {
  return api_call([&](Runtime& runtime) {
    require(priority != nullptr);
    *priority = runtime.streams.find(handle).priority;
  });
}

extern "C" cudaError_t cudaStreamGetId(cudaStream_t handle, unsigned long long* id) {
  return api_call([&](Runtime& runtime) {
    require(id != nullptr);
    *id = runtime.streams.find(handle).id;
  });
}

extern "C" cudaError_t cudaStreamGetDevice(cudaStream_t handle, int* device) {
  return api_call([&](Runtime& runtime) {
    require(device != nullptr);
    runtime.streams.find(handle);
    *device = 0;
  });
}

extern "C" cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void* data) {
  return api_call([&](Runtime& runtime) {
    require(function != nullptr);
    vgpu::enqueue(runtime, runtime.streams.find(handle),
                  vgpu::HostFunction{[function, data] { function(data); }});
  });
}

extern "C" cudaError_t cudaStreamAddCallback(cudaStream_t handle, cudaStreamCallback_t callback,
                                             void* data, unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    require(callback != nullptr && flags == 0);
    CUstream_st& stream = runtime.streams.find(handle);
    vgpu::refuse_capture(stream, "cudaStreamAddCallback");
    vgpu::enqueue(runtime, stream, vgpu::HostFunction{[handle, callback, data] {
                    callback(handle, cudaSuccess, data);
                  }});
  });
}
