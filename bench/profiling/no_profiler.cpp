#include "bench/profiling/profiler.h"

namespace siamese::bench {

// A build without CUDA has no variants but the CPU's.
void start_profiler(Device) {}
void stop_profiler(Device) {}

}  // namespace siamese::bench
