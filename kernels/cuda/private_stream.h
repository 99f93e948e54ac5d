#pragma once

#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"

namespace siamese::cuda {

/// A stream of one's own, which waits for no other and for which no other waits.
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

}  // namespace siamese::cuda
