#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "verify/problem.h"

namespace siamese::bench {

/// Bytes of which no cache of this machine holds much: twice the largest that the system tells of,
/// at least 256 MiB, and no more than a quarter of what memory is free.
std::int64_t bytes_beyond_caches();

/// Why a problem and its reference would not fit into this machine's memory; nothing where they do.
std::optional<std::string> why_too_large(const verify::ProblemSpec& spec);

}  // namespace siamese::bench
