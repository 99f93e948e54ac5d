#pragma once

#include "kernels/device.h"

namespace siamese::bench {

/// What runs on a CUDA device between these two is looked at by profilers that were told to wait
/// for it: Nsight's --profile-from-start=off and --capture-range=cudaProfilerApi, the virtual GPU's
/// --counters-later. For the CPU they do nothing.
void start_profiler(Device device);
void stop_profiler(Device device);

}  // namespace siamese::bench
