#include "kernels/cuda/shared_memory.h"

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/device.h"

namespace siamese::cuda {

std::int64_t shared_limit(std::int64_t most) {
  if (backend(Device::cuda).why_unavailable()) return most;
  return std::min(most, device_limits().shared_bytes - own_shared_bytes);
}

}  // namespace siamese::cuda
