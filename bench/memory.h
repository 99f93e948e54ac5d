#pragma once

#include <optional>
#include <string>

#include "verify/problem.h"

namespace siamese::bench {

/// Why a problem and its reference would not fit into this machine's memory; nothing where they do.
std::optional<std::string> why_too_large(const verify::ProblemSpec& spec);

}  // namespace siamese::bench
