#include <cuda_runtime_api.h>

#include "bench/cuda/gate.h"
#include "bench/timing.h"
#include "kernels/cuda/check.h"
#include "kernels/device.h"

namespace siamese::bench {
namespace {

// A stream of its own, on which two events bracket the work of a launch. The first comes behind a
// gate that opens when the host has sent everything up to the second: what is measured is the
// device's time alone, gaps between the kernels of one launch included.
class CudaStopwatch final : public Stopwatch {
 public:
  CudaStopwatch() : hertz_(Device::cuda, 1) {
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
    {
      const Gate::Closed closed(gate_, stream_);
      SIAMESE_CHECK_CUDA(cudaEventRecord(begin_, stream_));
      launch(Stream{stream_});
      SIAMESE_CHECK_CUDA(cudaEventRecord(end_, stream_));
    }
    SIAMESE_CHECK_CUDA(cudaEventSynchronize(end_));
    float milliseconds = 0.0F;
    SIAMESE_CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin_, end_));
    return 1e-3 * static_cast<double>(milliseconds);
  }

  void flush_caches() override {
    if (junk_.size() == 0) {
      cudaDeviceProp device{};
      SIAMESE_CHECK_CUDA(cudaGetDeviceProperties(&device, 0));
      junk_ = Buffer<char>(Device::cuda, std::int64_t{2} * device.l2CacheSize);
    }
    SIAMESE_CHECK_CUDA(
        cudaMemsetAsync(junk_.data(), 0, static_cast<std::size_t>(junk_.size()), stream_));
  }

  double speed() override {
    launch_read_clock(hertz_.data(), stream_);
    return hertz_.copy_out().front();
  }

 private:
  Gate gate_;
  Buffer<double> hertz_;
  Buffer<char> junk_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr;
  cudaEvent_t end_ = nullptr;
};

}  // namespace

std::unique_ptr<Stopwatch> make_cuda_stopwatch() { return std::make_unique<CudaStopwatch>(); }

}  // namespace siamese::bench
