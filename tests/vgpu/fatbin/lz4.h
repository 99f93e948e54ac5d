#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace vgpu {

/// Decodes one LZ4 block of exactly `raw_size` bytes. Throws FatbinError where the block is
/// malformed.
std::string lz4_decode(std::span<const std::byte> block, std::size_t raw_size);

}  // namespace vgpu
