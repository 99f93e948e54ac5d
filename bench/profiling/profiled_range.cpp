#include "bench/profiling/profiled_range.h"

#ifdef SIAMESE_WITH_CUDA
#include <cuda_profiler_api.h>

#include "kernels/cuda/check.h"
#endif

namespace siamese::bench {

#ifdef SIAMESE_WITH_CUDA
ProfiledRange::ProfiledRange() { SIAMESE_CHECK_CUDA(cudaProfilerStart()); }
ProfiledRange::~ProfiledRange() { SIAMESE_REPORT_CUDA(cudaProfilerStop()); }
#else
ProfiledRange::ProfiledRange() = default;
ProfiledRange::~ProfiledRange() = default;
#endif

}  // namespace siamese::bench
