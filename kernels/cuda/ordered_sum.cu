#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ordered_sum.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 512;

template <class T>
__global__ void ordered_sum(const T* parts, std::int64_t count, std::int64_t width, double scale,
                            T* out) {
  const std::int64_t column = blockIdx.x;
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; i < count; i += threads) {
    sum += static_cast<double>(parts[i * width + column]);
  }
  sum = block_sum<threads>(sum);
  if (threadIdx.x == 0) out[column] = static_cast<T>(scale * sum);
}

}  // namespace

void launch_ordered_sum(const double* parts, std::int64_t count, double scale, double* out,
                        cudaStream_t stream) {
  launch_ordered_sums(parts, count, 1, scale, out, stream);
}

template <class T>
void launch_ordered_sums(const T* parts, std::int64_t count, std::int64_t width, double scale,
                         T* out, cudaStream_t stream) {
  ordered_sum<<<tile_blocks(width, "ordered_sum"), threads, 0, stream>>>(parts, count, width, scale,
                                                                         out);
  SIAMESE_CHECK_LAUNCH("ordered_sum");
}

template void launch_ordered_sums(const float*, std::int64_t, std::int64_t, double, float*,
                                  cudaStream_t);
template void launch_ordered_sums(const double*, std::int64_t, std::int64_t, double, double*,
                                  cudaStream_t);

}  // namespace siamese::cuda
