#pragma once

#include <cstdint>

namespace siamese {

/// How many pieces of b > 0 hold a >= 0, and the least multiple of b that is not below a.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
constexpr std::int64_t round_up(std::int64_t a, std::int64_t b) { return ceil_div(a, b) * b; }

}  // namespace siamese
