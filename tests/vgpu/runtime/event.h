#pragma once

#include <memory>
#include <vector>

#include "tests/vgpu/runtime/work.h"

struct CUgraphNode_st;

namespace vgpu {
struct Capture;
}

// What a cudaEvent_t points to.
struct CUevent_st {
  unsigned int flags = 0;
  vgpu::WorkPtr work;  // what it marks the end of; null when it was never recorded

  std::shared_ptr<vgpu::Capture> capture;  // set when last recorded in a capturing stream
  std::vector<CUgraphNode_st*> captured;
};
