#pragma once

#include <optional>
#include <string>
#include <vector>

namespace siamese {

/// The names of the NVTX ranges that were opened since the last call inside no other, in order, and
/// behind them how many were not closed. Nothing where the tests do not stand in a profiler's
/// place: in a build without CUDA, and where the environment names another tool. Not for several
/// threads at once.
std::optional<std::vector<std::string>> take_nvtx_ranges();

}  // namespace siamese
