#pragma once

#include <cstdint>
#include <string>

namespace siamese {

/// "points:30/pairs:128", of several trainings with "/trainings:5" behind: how results and profiles
/// call a shape.
std::string batch_text(std::int64_t points, std::int64_t pairs, std::int64_t trainings);

}  // namespace siamese
