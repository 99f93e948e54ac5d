#include "tests/kernels/private_stream.h"

#include <cuda_runtime_api.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/private_stream.h"

namespace siamese {

PrivateStream::PrivateStream(Device device) {
  if (device == Device::cpu) return;
  const auto owner = std::make_shared<const cuda::PrivateStream>();
  stream_.handle = owner->get();
  owner_ = owner;
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
