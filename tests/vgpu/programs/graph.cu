// A graph captured from two streams that fork and join, launched many times; the number of the
// launch lives on the device, so that it advances; and kernels' arguments changed afterwards.
#include <cooperative_groups.h>

#include "tests/vgpu/programs/program.cuh"

__global__ void advance(int* step) { ++*step; }

__global__ void add(const int* step, int scale, int n, int* x) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += scale * *step;
}

__global__ void combine(int n, const int* x, const int* y, long long* sum) {
  for (int i = 0; i < n; ++i) *sum += x[i] + y[i];
}

// A graph never runs beside itself: its launch in one stream waits for that in another. And a graph
// of nothing still keeps its place in the stream.
void test_order() {
  cudaStream_t first, second;
  check(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
  check(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
  DeviceArray<int> step(std::vector<int>{0});
  const auto instantiate = [&](bool empty) {
    cudaGraph_t graph = nullptr;
    cudaGraphExec_t executable = nullptr;
    check(cudaStreamBeginCapture(first, cudaStreamCaptureModeGlobal));
    if (!empty) advance<<<1, 1, 0, first>>>(step.data());
    check(cudaStreamEndCapture(first, &graph));
    check(cudaGraphInstantiate(&executable, graph, 0));
    check(cudaGraphDestroy(graph));
    return executable;
  };
  const auto steps = [&](cudaStream_t stream) {
    int value = 0;
    check(cudaMemcpyAsync(&value, step.data(), sizeof value, cudaMemcpyDeviceToHost, stream));
    check(cudaStreamSynchronize(stream));
    return value;
  };
  cudaGraphExec_t executable = instantiate(false);
  check(cudaGraphLaunch(executable, first));
  check(cudaGraphLaunch(executable, second));
  expect(steps(second) == 2, "both launches before the second stream's copy");

  cudaGraphExec_t empty = instantiate(true);
  advance<<<1, 1, 0, first>>>(step.data());
  check(cudaGraphLaunch(empty, first));
  expect(steps(first) == 3, "the kernel before the graph of nothing");
  check(cudaGraphExecDestroy(executable));
  check(cudaGraphExecDestroy(empty));
  check(cudaStreamDestroy(first));
  check(cudaStreamDestroy(second));
}

void test_capture() {
  constexpr int n = 100;
  DeviceArray<int> step(1), x(n), y(n);
  DeviceArray<long long> sum(1);
  cudaStream_t stream, other;
  cudaEvent_t forked, joined;
  check(cudaStreamCreate(&stream));
  check(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  check(cudaEventCreateWithFlags(&forked, cudaEventDisableTiming));
  check(cudaEventCreateWithFlags(&joined, cudaEventDisableTiming));
  check(cudaMemset(step.data(), 0, sizeof(int)));
  check(cudaMemset(sum.data(), 0, sizeof(long long)));
  check(cudaDeviceSynchronize());

  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  advance<<<1, 1, 0, stream>>>(step.data());
  check(cudaEventRecord(forked, stream));
  check(cudaStreamWaitEvent(other, forked));
  check(cudaMemsetAsync(x.data(), 0, n * sizeof(int), stream));
  add<<<1, 128, 0, stream>>>(step.data(), 1, n, x.data());
  check(cudaMemsetAsync(y.data(), 0, n * sizeof(int), other));
  add<<<1, 128, 0, other>>>(step.data(), 10, n, y.data());
  check(cudaEventRecord(joined, other));
  check(cudaStreamWaitEvent(stream, joined));
  combine<<<1, 1, 0, stream>>>(n, x.data(), y.data(), sum.data());
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph));

  std::size_t node_count = 0;
  check(cudaGraphGetNodes(graph, nullptr, &node_count));
  expect(node_count == 6, "six nodes");
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph, 0));
  for (int launch = 0; launch < 20; ++launch) check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  expect(sum.values()[0] == n * 11LL * (20 * 21 / 2), "twenty launches, each with its own step");

  std::vector<cudaGraphNode_t> nodes(node_count);
  check(cudaGraphGetNodes(graph, nodes.data(), &node_count));
  cudaKernelNodeParams parameters{};
  int scale = 1000;
  int size = n;
  const int* step_data = step.data();
  int* x_data = x.data();
  void* arguments[] = {&step_data, &scale, &size, &x_data};
  parameters.func = reinterpret_cast<void*>(add);
  parameters.gridDim = dim3(1);
  parameters.blockDim = dim3(128);
  parameters.kernelParams = arguments;
  check(cudaGraphExecKernelNodeSetParams(executable, nodes[2], &parameters));
  check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  expect(x.values()[0] == 21 * 1000, "the changed argument");

  check(cudaGraphExecDestroy(executable));
  check(cudaGraphDestroy(graph));
  check(cudaEventDestroy(forked));
  check(cudaEventDestroy(joined));
  check(cudaStreamDestroy(stream));
  check(cudaStreamDestroy(other));
}

// y[b] = scale * (the sum of x), of which each block has set one element.
__global__ void sum_of_all(int scale, int* x, int* y) {
  x[blockIdx.x] = 1;
  cooperative_groups::this_grid().sync();
  int sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += x[i];
  y[blockIdx.x] = scale * sum;
}

// That a launch is cooperative is an attribute of its node: other arguments leave it as it is.
void test_cooperative() {
  constexpr int blocks = 6;
  DeviceArray<int> x(blocks), y(blocks);
  int scale = 2;
  int* x_data = x.data();
  int* y_data = y.data();
  void* arguments[] = {&scale, &x_data, &y_data};
  cudaStream_t stream;
  check(cudaStreamCreate(&stream));
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  check(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(sum_of_all), dim3(blocks),
                                    dim3(1), arguments, 0, stream));
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  check(cudaStreamEndCapture(stream, &graph));
  check(cudaGraphInstantiate(&executable, graph, 0));

  cudaGraphNode_t node = nullptr;
  std::size_t node_count = 1;
  check(cudaGraphGetNodes(graph, &node, &node_count));
  cudaKernelNodeParams parameters{};
  scale = 3;
  parameters.func = reinterpret_cast<void*>(sum_of_all);
  parameters.gridDim = dim3(blocks);
  parameters.blockDim = dim3(1);
  parameters.kernelParams = arguments;
  check(cudaGraphExecKernelNodeSetParams(executable, node, &parameters));
  check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  expect_close(y.values(), std::vector<int>(blocks, 3 * blocks), 0);

  check(cudaGraphExecDestroy(executable));
  check(cudaGraphDestroy(graph));
  check(cudaStreamDestroy(stream));
}

int main() {
  test_capture();
  test_cooperative();
  test_order();
}
