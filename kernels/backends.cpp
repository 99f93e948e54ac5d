#include "kernels/backends.h"

#include <fmt/format.h>

#include <limits>

#include "model/error.h"

namespace siamese {

DeviceBackend& backend(Device device) {
  return device == Device::cpu ? cpu_backend() : cuda_backend();
}

std::int64_t buffer_bytes(std::int64_t count, std::int64_t element_size) {
  const std::int64_t most = std::numeric_limits<std::int64_t>::max() / element_size;
  if (count < 0 || count > most) {
    throw UsageError(fmt::format("buffer of {} elements of {} bytes; expected 0 to {} elements",
                                 count, element_size, most));
  }
  return count * element_size;
}

void check_copy(std::int64_t values, std::int64_t count) {
  if (values != count) {
    throw UsageError(
        fmt::format("{} values for a buffer of {} elements; expected as many", values, count));
  }
}

}  // namespace siamese
