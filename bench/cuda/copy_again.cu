#include "bench/cuda/copy_again.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"

namespace siamese::bench {
namespace {

using Vector = uint4;

constexpr int block_threads = 512;

__global__ void copy_again(const Vector* from, Vector* to, std::int64_t count, int times) {
  for (int copy = 0; copy < times; ++copy) {
    for (std::int64_t i = cuda::grid_thread(); i < count; i += cuda::grid_threads()) {
      __stcg(to + i, __ldcg(from + i));
    }
  }
}

}  // namespace

CopyAgain::CopyAgain() {
  cudaDeviceProp device{};
  SIAMESE_CHECK_CUDA(cudaGetDeviceProperties(&device, 0));
  blocks_ = static_cast<unsigned>(device.multiProcessorCount) *
            static_cast<unsigned>(device.maxThreadsPerMultiProcessor / block_threads);
}

std::int64_t CopyAgain::round_bytes() const {
  return std::int64_t{blocks_} * block_threads * static_cast<std::int64_t>(sizeof(Vector));
}

void CopyAgain::launch(const char* from, char* to, std::int64_t bytes, int times,
                       cudaStream_t stream) const {
  copy_again<<<blocks_, block_threads, 0, stream>>>(
      reinterpret_cast<const Vector*>(from), reinterpret_cast<Vector*>(to),
      bytes / static_cast<std::int64_t>(sizeof(Vector)), times);
  SIAMESE_CHECK_LAUNCH("copy_again");
}

}  // namespace siamese::bench
