#pragma once

#include <driver_types.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "tests/vgpu/runtime/handles.h"
#include "tests/vgpu/runtime/operation.h"
#include "tests/vgpu/runtime/work.h"

struct CUgraphNode_st;
struct CUstream_st;

namespace vgpu {

class Runtime;

struct Capture;

// The program's streams.
class Streams {
 public:
  Streams();

  CUstream_st& create(bool blocking, int priority);
  void destroy(CUstream_st& stream);
  // The stream of a handle: null and cudaStreamLegacy are the legacy stream, cudaStreamPerThread is
  // the calling thread's. Fails with cudaErrorInvalidResourceHandle.
  CUstream_st& find(cudaStream_t handle);
  CUstream_st& legacy() { return legacy_; }

  // What new work in the stream has to wait for: the stream's own work, and the legacy stream's or,
  // for the legacy stream, that of every blocking stream.
  std::vector<WorkPtr> order(const CUstream_st& stream) const;

  template <typename Visit>
  void for_each(Visit&& visit) const {
    streams_.for_each(visit);
  }

 private:
  Handles<CUstream_st> streams_;
  std::vector<WorkPtr> orphans_;  // last work of destroyed blocking streams
  std::uint64_t created_ = 0;
  CUstream_st& legacy_;  // after what creating it needs
};

// Puts an operation into a stream, or into the graph that the stream captures.
void enqueue(Runtime& runtime, CUstream_st& stream, Operation operation);

// Fails with cudaErrorNotReady where some of the work is not done. A program that asks again and
// again must come to an end, so what was not done when it asked is done when it asks next.
void require_ready(Runtime& runtime, const std::vector<WorkPtr>& work);

}  // namespace vgpu

// What a cudaStream_t points to.
struct CUstream_st {
  std::uint64_t id = 0;
  bool blocking = true;  // ordered with the legacy stream
  int priority = 0;
  vgpu::WorkPtr tail;  // the last work in it

  std::shared_ptr<vgpu::Capture> capture;  // set while it captures
  std::vector<CUgraphNode_st*> captured;   // what the next captured operation comes after
};
