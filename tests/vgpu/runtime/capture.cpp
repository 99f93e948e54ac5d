#include "tests/vgpu/runtime/capture.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/vgpu/runtime/runtime.h"

namespace vgpu {

void capture_operation(CUstream_st& stream, Operation operation) {
  require(!stream.capture->invalidated, cudaErrorStreamCaptureInvalidated);
  stream.captured = {&stream.capture->graph->add(std::move(operation), stream.captured)};
}

void capture_wait(Runtime& runtime, CUstream_st& stream, const CUevent_st& event) {
  if (event.capture == nullptr) {
    if (event.work == nullptr) return;  // never recorded: nothing to wait for
    stream.capture->invalidated = true;
    fail(cudaErrorStreamCaptureIsolation);
  }
  require(!event.capture->ended);
  require(!event.capture->invalidated, cudaErrorStreamCaptureInvalidated);
  if (stream.capture == nullptr) {
    require(&stream != &runtime.streams.legacy(), cudaErrorStreamCaptureImplicit);
    stream.capture = event.capture;
    stream.captured.clear();
  } else if (stream.capture != event.capture) {
    stream.capture->invalidated = true;
    event.capture->invalidated = true;
    fail(cudaErrorStreamCaptureMerge);
  }
  for (CUgraphNode_st* node : event.captured) {
    if (std::find(stream.captured.begin(), stream.captured.end(), node) == stream.captured.end()) {
      stream.captured.push_back(node);
    }
  }
}

namespace {

// The calling thread's say over which captures its unsafe calls disturb.
cudaStreamCaptureMode& thread_mode() {
  thread_local cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  return mode;
}

bool forbids_unsafe_call(const Capture& capture) {
  if (capture.mode == cudaStreamCaptureModeRelaxed ||
      thread_mode() == cudaStreamCaptureModeRelaxed) {
    return false;
  }
  const bool any_thread =
      capture.mode == cudaStreamCaptureModeGlobal && thread_mode() == cudaStreamCaptureModeGlobal;
  return any_thread || capture.thread == std::this_thread::get_id();
}

}  // namespace

void refuse_unsafe_call(Runtime& runtime) {
  bool refused = false;
  runtime.streams.for_each([&](const CUstream_st& stream) {
    if (stream.capture == nullptr || !forbids_unsafe_call(*stream.capture)) return;
    stream.capture->invalidated = true;
    refused = true;
  });
  require(!refused, cudaErrorStreamCaptureUnsupported);
}

void invalidate_capture(CUstream_st& stream) {
  if (stream.capture != nullptr) stream.capture->invalidated = true;
}

void refuse_waiting(CUstream_st& stream) {
  if (stream.capture == nullptr) return;
  invalidate_capture(stream);
  fail(cudaErrorStreamCaptureUnsupported);
}

void refuse_capture(const CUstream_st& stream, const char* call) {
  if (stream.capture == nullptr) return;
  stream.capture->invalidated = true;
  fail(cudaErrorNotSupported, fmt::format("{} is not supported while a stream captures", call));
}

void refuse_implicit_dependency(Runtime& runtime) {
  bool refused = false;
  runtime.streams.for_each([&](const CUstream_st& stream) {
    if (stream.capture == nullptr || !stream.blocking) return;
    stream.capture->invalidated = true;
    refused = true;
  });
  require(!refused, cudaErrorStreamCaptureImplicit);
}

namespace {

// Whether all of the graph's work comes before where the origin stream stands.
bool joined(const Capture& capture, const CUstream_st& origin) {
  std::vector<const CUgraphNode_st*> with_successor;
  for (const auto& node : capture.graph->nodes) {
    with_successor.insert(with_successor.end(), node->after.begin(), node->after.end());
  }
  std::sort(with_successor.begin(), with_successor.end());
  return std::all_of(
      capture.graph->nodes.begin(), capture.graph->nodes.end(), [&](const auto& node) {
        return std::binary_search(with_successor.begin(), with_successor.end(), node.get()) ||
               std::find(origin.captured.begin(), origin.captured.end(), node.get()) !=
                   origin.captured.end();
      });
}

void begin(Runtime& runtime, cudaStream_t handle, cudaStreamCaptureMode mode) {
  CUstream_st& stream = runtime.streams.find(handle);
  require(&stream != &runtime.streams.legacy(), cudaErrorStreamCaptureUnsupported);
  require(stream.capture == nullptr, cudaErrorIllegalState);
  require(mode == cudaStreamCaptureModeGlobal || mode == cudaStreamCaptureModeThreadLocal ||
          mode == cudaStreamCaptureModeRelaxed);
  static std::uint64_t begun = 0;
  auto capture = std::make_shared<Capture>();
  capture->id = ++begun;
  capture->graph = std::make_unique<CUgraph_st>();
  capture->origin = &stream;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  stream.capture = std::move(capture);
  stream.captured.clear();
}

void end(Runtime& runtime, cudaStream_t handle, cudaGraph_t* graph) {
  CUstream_st& stream = runtime.streams.find(handle);
  const std::shared_ptr<Capture> capture = stream.capture;
  require(capture != nullptr, cudaErrorIllegalState);
  require(graph != nullptr);
  *graph = nullptr;
  require(capture->origin == &stream, cudaErrorStreamCaptureUnmatched);
  require(capture->mode == cudaStreamCaptureModeRelaxed ||
              capture->thread == std::this_thread::get_id(),
          cudaErrorStreamCaptureWrongThread);

  const bool complete = joined(*capture, stream);
  capture->ended = true;
  runtime.streams.for_each([&](CUstream_st& other) {
    if (other.capture != capture) return;
    other.capture = nullptr;
    other.captured.clear();
  });
  require(!capture->invalidated, cudaErrorStreamCaptureInvalidated);
  require(complete, cudaErrorStreamCaptureUnjoined);
  *graph = &runtime.graphs.add(std::move(capture->graph));
}

cudaStreamCaptureStatus status(const CUstream_st& stream) {
  if (stream.capture == nullptr) return cudaStreamCaptureStatusNone;
  return stream.capture->invalidated ? cudaStreamCaptureStatusInvalidated
                                     : cudaStreamCaptureStatusActive;
}

}  // namespace
}  // namespace vgpu

using vgpu::api_call;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  return api_call([&](Runtime& runtime) { vgpu::begin(runtime, stream, mode); });
}

extern "C" cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  return api_call([&](Runtime& runtime) { vgpu::end(runtime, stream, graph); });
}

extern "C" cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return api_call([&](Runtime& runtime) {
    require(status != nullptr);
    if (handle == nullptr || handle == cudaStreamLegacy) vgpu::refuse_implicit_dependency(runtime);
    *status = vgpu::status(runtime.streams.find(handle));
  });
}

extern "C" cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle,
                                                cudaStreamCaptureStatus* status,
                                                unsigned long long* id, cudaGraph_t* graph,
                                                const cudaGraphNode_t** dependencies,
                                                const cudaGraphEdgeData** edges,
                                                std::size_t* dependency_count) {
  return api_call([&](Runtime& runtime) {
    require(status != nullptr);
    const CUstream_st& stream = runtime.streams.find(handle);
    *status = vgpu::status(stream);
    if (*status != cudaStreamCaptureStatusActive) return;
    if (id != nullptr) *id = stream.capture->id;
    if (graph != nullptr) *graph = stream.capture->graph.get();
    if (dependencies != nullptr) *dependencies = stream.captured.data();
    if (edges != nullptr) *edges = nullptr;
    if (dependency_count != nullptr) *dependency_count = stream.captured.size();
  });
}

extern "C" cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return api_call([&](Runtime&) {
    require(mode != nullptr);
    std::swap(*mode, vgpu::thread_mode());
  });
}
