#include "kernels/backends.h"

namespace siamese {

DeviceBackend& backend(Device device) {
  return device == Device::cpu ? cpu_backend() : cuda_backend();
}

}  // namespace siamese
