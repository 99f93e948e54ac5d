#include "kernels/cuda/captured.h"

#include <cuda_runtime_api.h>

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"

namespace siamese::cuda {
namespace {

class PrivateStream {
 public:
  PrivateStream() {
    SIAMESE_CHECK_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  PrivateStream(const PrivateStream&) = delete;
  PrivateStream& operator=(const PrivateStream&) = delete;
  ~PrivateStream() { SIAMESE_REPORT_CUDA(cudaStreamDestroy(stream_)); }

  cudaStream_t get() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

/// What was captured, ready to be replayed; keeps the launch, whose workspace the graph uses.
class Graph {
 public:
  explicit Graph(const Launch& launch) : launch_(launch) {
    const PrivateStream stream;
    SIAMESE_CHECK_CUDA(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal));
    try {
      launch_(Stream{stream.get()});
    } catch (...) {
      cudaGraph_t broken = nullptr;
      cudaStreamEndCapture(stream.get(), &broken);
      if (broken != nullptr) SIAMESE_REPORT_CUDA(cudaGraphDestroy(broken));
      cudaGetLastError();
      throw;
    }
    cudaGraph_t graph = nullptr;
    SIAMESE_CHECK_CUDA(cudaStreamEndCapture(stream.get(), &graph));
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
  Launch launch_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

Launch captured(const Launch& launch) {
  return [graph = std::make_shared<const Graph>(launch)](Stream stream) { graph->replay(stream); };
}

}  // namespace siamese::cuda
