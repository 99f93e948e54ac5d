#pragma once

#include <driver_types.h>

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "tests/vgpu/runtime/operation.h"
#include "tests/vgpu/runtime/work.h"

struct CUgraphNode_st {
  CUgraph_st* graph = nullptr;
  vgpu::Operation operation;
  std::vector<CUgraphNode_st*> after;
};

struct CUgraph_st {
  std::vector<std::unique_ptr<CUgraphNode_st>> nodes;

  CUgraphNode_st& add(vgpu::Operation operation, std::vector<CUgraphNode_st*> after);
};

// An executable graph: a copy, so that the graph it came from may change or go.
struct CUgraphExec_st {
  struct Node {
    vgpu::Operation operation;
    std::vector<std::size_t> after;  // indices of earlier nodes
  };
  std::vector<Node> nodes;                              // in an order that respects `after`
  std::map<const CUgraphNode_st*, std::size_t> origin;  // the graph's nodes, for updates
  vgpu::WorkPtr last_launch;                            // a graph never runs beside itself
};
