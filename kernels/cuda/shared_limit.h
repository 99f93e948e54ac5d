#pragma once

#include <cstdint>

namespace siamese::cuda {

/// Bytes of shared memory that a block of a kernel made for `most` may have: less where the device
/// has less. Where there is no device, `most`.
std::int64_t shared_limit(std::int64_t most);

}  // namespace siamese::cuda
