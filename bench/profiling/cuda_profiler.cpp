#include <cuda_profiler_api.h>

#include "bench/profiling/profiler.h"
#include "kernels/cuda/check.h"

namespace siamese::bench {

void start_profiler(Device device) {
  if (device == Device::cuda) SIAMESE_CHECK_CUDA(cudaProfilerStart());
}

void stop_profiler(Device device) {
  if (device == Device::cuda) SIAMESE_CHECK_CUDA(cudaProfilerStop());
}

}  // namespace siamese::bench
