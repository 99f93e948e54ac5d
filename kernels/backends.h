#pragma once

#include <iosfwd>
#include <string>

#include "kernels/device.h"

namespace siamese {

DeviceBackend& cpu_backend();

/// What Linux tells of the first core in /proc/cpuinfo: its name, or on Arm, where it has none
/// there, the numbers of its maker and model.
std::string processor_name(std::istream& cpuinfo);

/// Defined by kernels/cuda/cuda_backend.cpp, or by kernels/no_cuda.cpp in a build without CUDA.
DeviceBackend& cuda_backend();

}  // namespace siamese
