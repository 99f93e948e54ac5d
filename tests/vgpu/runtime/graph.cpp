#include "tests/vgpu/runtime/graph.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <utility>

#include "tests/vgpu/memory/pointer.h"
#include "tests/vgpu/runtime/capture.h"
#include "tests/vgpu/runtime/launch.h"
#include "tests/vgpu/runtime/runtime.h"
#include "tests/vgpu/runtime/transfer.h"

namespace vgpu {
namespace {

struct NodeType {
  cudaGraphNodeType operator()(const Marker&) const { return cudaGraphNodeTypeEmpty; }
  cudaGraphNodeType operator()(const KernelLaunch&) const { return cudaGraphNodeTypeKernel; }
  cudaGraphNodeType operator()(const LibraryCall&) const { return cudaGraphNodeTypeKernel; }
  cudaGraphNodeType operator()(const Copy&) const { return cudaGraphNodeTypeMemcpy; }
  cudaGraphNodeType operator()(const Fill&) const { return cudaGraphNodeTypeMemset; }
  cudaGraphNodeType operator()(const HostFunction&) const { return cudaGraphNodeTypeHost; }
  cudaGraphNodeType operator()(const Release&) const { return cudaGraphNodeTypeMemFree; }
};

std::vector<CUgraphNode_st*> dependencies(const CUgraph_st& graph, const cudaGraphNode_t* nodes,
                                          std::size_t count) {
  require(nodes != nullptr || count == 0);
  std::vector<CUgraphNode_st*> after(nodes, nodes + count);
  for (const CUgraphNode_st* node : after) require(node != nullptr && node->graph == &graph);
  return after;
}

// The graph's nodes in an order in which each comes after what it depends on.
std::vector<const CUgraphNode_st*> topological_order(const CUgraph_st& graph) {
  std::vector<const CUgraphNode_st*> order;
  std::map<const CUgraphNode_st*, std::size_t> waiting_for;
  std::map<const CUgraphNode_st*, std::vector<const CUgraphNode_st*>> successors;
  for (const auto& node : graph.nodes) {
    waiting_for[node.get()] = node->after.size();
    for (const CUgraphNode_st* before : node->after) successors[before].push_back(node.get());
    if (node->after.empty()) order.push_back(node.get());
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const CUgraphNode_st* next : successors[order[i]]) {
      if (--waiting_for[next] == 0) order.push_back(next);
    }
  }
  require(order.size() == graph.nodes.size());  // else it has a cycle
  return order;
}

std::unique_ptr<CUgraphExec_st> instantiate(const CUgraph_st& graph) {
  auto executable = std::make_unique<CUgraphExec_st>();
  for (const CUgraphNode_st* node : topological_order(graph)) {
    CUgraphExec_st::Node copy;
    copy.operation = node->operation;
    for (const CUgraphNode_st* before : node->after) {
      copy.after.push_back(executable->origin.at(before));
    }
    executable->origin[node] = executable->nodes.size();
    executable->nodes.push_back(std::move(copy));
  }
  return executable;
}

void launch(Runtime& runtime, CUgraphExec_st& executable, cudaStream_t handle) {
  CUstream_st& stream = runtime.streams.find(handle);
  refuse_capture(stream, "cudaGraphLaunch");
  if (&stream == &runtime.streams.legacy()) refuse_implicit_dependency(runtime);
  std::vector<WorkPtr> start = runtime.streams.order(stream);
  start.push_back(executable.last_launch);
  std::vector<WorkPtr> work;
  for (const CUgraphExec_st::Node& node : executable.nodes) {
    std::vector<WorkPtr> after = start;
    for (const std::size_t before : node.after) after.push_back(work[before]);
    work.push_back(runtime.queue.submit(
        [&runtime, operation = node.operation] { execute(runtime, operation); }, after));
  }
  work.insert(work.end(), start.begin(), start.end());
  stream.tail = runtime.queue.submit([] {}, work);
  executable.last_launch = stream.tail;
}

void add_node(Runtime& runtime, cudaGraphNode_t* node, cudaGraph_t graph_handle,
              const cudaGraphNode_t* after, std::size_t after_count, Operation operation) {
  require(node != nullptr);
  CUgraph_st& graph = runtime.graphs.find(graph_handle, cudaErrorInvalidValue);
  *node = &graph.add(std::move(operation), dependencies(graph, after, after_count));
}

// That a node's launch is cooperative or of clusters its parameters do not say: these are
// attributes of the node.
KernelLaunch kernel_node(Runtime& runtime, const cudaKernelNodeParams* parameters,
                         const Launch& attributes = {}) {
  require(parameters != nullptr);
  if (parameters->extra != nullptr) {
    fail(cudaErrorNotSupported, "cudaKernelNodeParams::extra is not supported; use kernelParams");
  }
  KernelLaunch node =
      build_launch(runtime, parameters->func, parameters->gridDim, parameters->blockDim,
                   parameters->kernelParams, parameters->sharedMemBytes);
  node.launch.cooperative = attributes.cooperative;
  node.launch.cluster = attributes.cluster;
  check_launch(node);
  return node;
}

void instantiate(Runtime& runtime, cudaGraphExec_t* executable, cudaGraph_t graph,
                 unsigned long long flags) {
  require(executable != nullptr);
  constexpr unsigned long long without_effect =
      cudaGraphInstantiateFlagUpload | cudaGraphInstantiateFlagUseNodePriority;
  if ((flags & ~without_effect) != 0) {
    fail(cudaErrorNotSupported, "cudaGraphInstantiate: these flags are not supported");
  }
  *executable = &runtime.executable_graphs.add(
      instantiate(runtime.graphs.find(graph, cudaErrorInvalidValue)));
}

// Copies handles to a caller who may ask for their number first, with a null pointer.
void give_nodes(const std::vector<cudaGraphNode_t>& all, cudaGraphNode_t* nodes,
                std::size_t* count) {
  require(count != nullptr);
  if (nodes != nullptr) {
    const std::size_t given = std::min(*count, all.size());
    std::copy_n(all.begin(), given, nodes);
    std::fill(nodes + given, nodes + *count, nullptr);
  }
  *count = all.size();
}

}  // namespace
}  // namespace vgpu

CUgraphNode_st& CUgraph_st::add(vgpu::Operation operation, std::vector<CUgraphNode_st*> after) {
  auto node = std::make_unique<CUgraphNode_st>();
  node->graph = this;
  node->operation = std::move(operation);
  node->after = std::move(after);
  nodes.push_back(std::move(node));
  return *nodes.back();
}

using vgpu::api_call;
using vgpu::require;
using vgpu::Runtime;

extern "C" cudaError_t cudaGraphCreate(cudaGraph_t* graph, unsigned int flags) {
  return api_call([&](Runtime& runtime) {
    require(graph != nullptr && flags == 0);
    *graph = &runtime.graphs.add(std::make_unique<CUgraph_st>());
  });
}

extern "C" cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return api_call([&](Runtime& runtime) {
    runtime.graphs.remove(runtime.graphs.find(graph, cudaErrorInvalidValue));
  });
}

extern "C" cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                            unsigned long long flags) {
  return api_call([&](Runtime& runtime) { vgpu::instantiate(runtime, executable, graph, flags); });
}

extern "C" cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                                     unsigned long long flags) {
  return cudaGraphInstantiate(executable, graph, flags);
}

extern "C" cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return api_call([&](Runtime& runtime) {
    runtime.executable_graphs.remove(
        runtime.executable_graphs.find(executable, cudaErrorInvalidValue));
  });
}

extern "C" cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    vgpu::launch(runtime, runtime.executable_graphs.find(executable, cudaErrorInvalidValue),
                 stream);
  });
}

// Uploading ahead of a launch saves time on a device; here there is nothing to do.
extern "C" cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t stream) {
  return api_call([&](Runtime& runtime) {
    runtime.executable_graphs.find(executable, cudaErrorInvalidValue);
    runtime.streams.find(stream);
  });
}

extern "C" cudaError_t cudaGraphAddEmptyNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                             const cudaGraphNode_t* after,
                                             std::size_t after_count) {
  return api_call([&](Runtime& runtime) {
    vgpu::add_node(runtime, node, graph, after, after_count, vgpu::Marker{});
  });
}

extern "C" cudaError_t cudaGraphAddKernelNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                              const cudaGraphNode_t* after, std::size_t after_count,
                                              const cudaKernelNodeParams* parameters) {
  return api_call([&](Runtime& runtime) {
    vgpu::add_node(runtime, node, graph, after, after_count,
                   vgpu::kernel_node(runtime, parameters));
  });
}

extern "C" cudaError_t cudaGraphAddMemcpyNode1D(cudaGraphNode_t* node, cudaGraph_t graph,
                                                const cudaGraphNode_t* after,
                                                std::size_t after_count, void* to, const void* from,
                                                std::size_t bytes, cudaMemcpyKind kind) {
  return api_call([&](Runtime& runtime) {
    vgpu::add_node(runtime, node, graph, after, after_count,
                   vgpu::checked_copy(runtime, vgpu::linear_copy(to, from, bytes), kind));
  });
}

extern "C" cudaError_t cudaGraphAddMemsetNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                              const cudaGraphNode_t* after, std::size_t after_count,
                                              const cudaMemsetParams* parameters) {
  return api_call([&](Runtime& runtime) {
    require(parameters != nullptr);
    vgpu::Fill fill;
    fill.to = vgpu::address_of(parameters->dst);
    fill.value = parameters->value;
    fill.element_bytes = parameters->elementSize;
    fill.width = parameters->width;
    fill.height = parameters->height;
    fill.pitch = parameters->pitch;
    vgpu::add_node(runtime, node, graph, after, after_count, vgpu::checked_fill(runtime, fill));
  });
}

extern "C" cudaError_t cudaGraphAddHostNode(cudaGraphNode_t* node, cudaGraph_t graph,
                                            const cudaGraphNode_t* after, std::size_t after_count,
                                            const cudaHostNodeParams* parameters) {
  return api_call([&](Runtime& runtime) {
    require(parameters != nullptr && parameters->fn != nullptr);
    const auto [function, data] = *parameters;
    vgpu::add_node(runtime, node, graph, after, after_count,
                   vgpu::HostFunction{[function = function, data = data] { function(data); }});
  });
}

extern "C" cudaError_t cudaGraphAddDependencies(cudaGraph_t graph_handle,
                                                const cudaGraphNode_t* from,
                                                const cudaGraphNode_t* to,
                                                const cudaGraphEdgeData* edges, std::size_t count) {
  return api_call([&](Runtime& runtime) {
    if (edges != nullptr) {
      vgpu::fail(cudaErrorNotSupported, "cudaGraphAddDependencies: edge data is not supported");
    }
    const CUgraph_st& graph = runtime.graphs.find(graph_handle, cudaErrorInvalidValue);
    const auto before = vgpu::dependencies(graph, from, count);
    const auto after = vgpu::dependencies(graph, to, count);
    for (std::size_t i = 0; i < count; ++i) after[i]->after.push_back(before[i]);
  });
}

extern "C" cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes,
                                         std::size_t* count) {
  return api_call([&](Runtime& runtime) {
    std::vector<cudaGraphNode_t> all;
    for (const auto& node : runtime.graphs.find(graph, cudaErrorInvalidValue).nodes) {
      all.push_back(node.get());
    }
    vgpu::give_nodes(all, nodes, count);
  });
}

extern "C" cudaError_t cudaGraphGetRootNodes(cudaGraph_t graph, cudaGraphNode_t* nodes,
                                             std::size_t* count) {
  return api_call([&](Runtime& runtime) {
    std::vector<cudaGraphNode_t> roots;
    for (const auto& node : runtime.graphs.find(graph, cudaErrorInvalidValue).nodes) {
      if (node->after.empty()) roots.push_back(node.get());
    }
    vgpu::give_nodes(roots, nodes, count);
  });
}

extern "C" cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  return api_call([&](Runtime&) {
    require(node != nullptr && type != nullptr);
    *type = std::visit(vgpu::NodeType{}, node->operation);
  });
}

// Changes a kernel's shape and arguments in an executable graph; the kernel itself may change too.
extern "C" cudaError_t cudaGraphExecKernelNodeSetParams(cudaGraphExec_t executable_handle,
                                                        cudaGraphNode_t node,
                                                        const cudaKernelNodeParams* parameters) {
  return api_call([&](Runtime& runtime) {
    CUgraphExec_st& executable =
        runtime.executable_graphs.find(executable_handle, cudaErrorInvalidValue);
    const auto found = executable.origin.find(node);
    require(found != executable.origin.end());
    auto* node_launch = std::get_if<vgpu::KernelLaunch>(&executable.nodes[found->second].operation);
    require(node_launch != nullptr);
    *node_launch = vgpu::kernel_node(runtime, parameters, node_launch->launch);
  });
}
