#pragma once

#include "kernels/device.h"

namespace siamese {

DeviceBackend& cpu_backend();

/// Defined by kernels/cuda/cuda_backend.cpp, or by kernels/no_cuda.cpp in a build without CUDA.
DeviceBackend& cuda_backend();

}  // namespace siamese
