#include "kernels/cuda/captured.h"

#include <cuda_runtime_api.h>

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/private_stream.h"

namespace siamese::cuda {
namespace {

/// What was captured, ready to be replayed. Keeps the launch, whose workspace the graph uses, and
/// the stream that it was captured on, which libraries' handles in the launch may still name.
class Graph {
 public:
  explicit Graph(const Launch& launch) : launch_(launch) {
    SIAMESE_CHECK_CUDA(cudaStreamBeginCapture(stream_.get(), cudaStreamCaptureModeThreadLocal));
    try {
      launch_(Stream{stream_.get()});
    } catch (...) {
      cudaGraph_t broken = nullptr;
      cudaStreamEndCapture(stream_.get(), &broken);
      if (broken != nullptr) SIAMESE_REPORT_CUDA(cudaGraphDestroy(broken));
      cudaGetLastError();
      throw;
    }
    cudaGraph_t graph = nullptr;
    SIAMESE_CHECK_CUDA(cudaStreamEndCapture(stream_.get(), &graph));
    const cudaError_t instantiated = cudaGraphInstantiate(&executable_, graph, 0);
    SIAMESE_REPORT_CUDA(cudaGraphDestroy(graph));
    SIAMESE_CHECK_CUDA(instantiated);
  }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() { SIAMESE_REPORT_CUDA(cudaGraphExecDestroy(executable_)); }

  void replay(Stream stream) const {
    SIAMESE_CHECK_CUDA(cudaGraphLaunch(executable_, cuda_stream(stream)));
  }

 private:
  PrivateStream stream_;  // outlives the launch
  Launch launch_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

Launch captured(const Launch& launch) {
  return [graph = std::make_shared<const Graph>(launch)](Stream stream) { graph->replay(stream); };
}

}  // namespace siamese::cuda
