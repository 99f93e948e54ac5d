#include <cuda_runtime_api.h>

#include "bench/timing.h"
#include "kernels/cuda/check.h"

namespace siamese::bench {
namespace {

// Events on a stream of its own. They bracket the work of one launch, whose first kernel the device
// may begin before the host has sent the last one: what is measured is the device's time from the
// first to the end of the last, gaps that a slow host leaves included.
class CudaStopwatch final : public Stopwatch {
 public:
  CudaStopwatch() {
    SIAMESE_CHECK_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    SIAMESE_CHECK_CUDA(cudaEventCreate(&begin_));
    SIAMESE_CHECK_CUDA(cudaEventCreate(&end_));
  }
  CudaStopwatch(const CudaStopwatch&) = delete;
  CudaStopwatch& operator=(const CudaStopwatch&) = delete;
  ~CudaStopwatch() override {
    SIAMESE_REPORT_CUDA(cudaEventDestroy(end_));
    SIAMESE_REPORT_CUDA(cudaEventDestroy(begin_));
    SIAMESE_REPORT_CUDA(cudaStreamDestroy(stream_));
  }

  double seconds(const Launch& launch) override {
    SIAMESE_CHECK_CUDA(cudaEventRecord(begin_, stream_));
    launch(Stream{stream_});
    SIAMESE_CHECK_CUDA(cudaEventRecord(end_, stream_));
    SIAMESE_CHECK_CUDA(cudaEventSynchronize(end_));
    float milliseconds = 0.0F;
    SIAMESE_CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin_, end_));
    return 1e-3 * static_cast<double>(milliseconds);
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace

std::unique_ptr<Stopwatch> make_cuda_stopwatch() { return std::make_unique<CudaStopwatch>(); }

}  // namespace siamese::bench
