#include "tests/kernels/private_stream.h"

#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"

namespace siamese {

PrivateStream::PrivateStream(Device device) {
  if (device == Device::cpu) return;
  cudaStream_t stream = nullptr;
  SIAMESE_CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  stream_.handle = stream;
}

PrivateStream::~PrivateStream() {
  if (stream_.handle != nullptr) SIAMESE_REPORT_CUDA(cudaStreamDestroy(cuda::cuda_stream(stream_)));
}

bool PrivateStream::is_default_stream_idle() const {
  if (stream_.handle == nullptr) return true;
  const cudaError_t state = cudaStreamQuery(nullptr);
  if (state == cudaErrorNotReady) {
    cudaGetLastError();  // an answer here, not an error of the next call
    return false;
  }
  SIAMESE_CHECK_CUDA(state);
  return true;
}

}  // namespace siamese
