#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/ordered_sum.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 512;

__global__ void ordered_sum(const double* parts, std::int64_t count, double scale, double* out) {
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; i < count; i += threads) sum += parts[i];
  sum = block_sum<threads>(sum);
  if (threadIdx.x == 0) *out = scale * sum;
}

}  // namespace

void launch_ordered_sum(const double* parts, std::int64_t count, double scale, double* out,
                        cudaStream_t stream) {
  ordered_sum<<<1, threads, 0, stream>>>(parts, count, scale, out);
  SIAMESE_CHECK_LAUNCH("ordered_sum");
}

}  // namespace siamese::cuda
