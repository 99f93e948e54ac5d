#pragma once

#include <optional>
#include <string_view>

namespace siamese {

/// The number that the whole of `text` spells (a decimal point whatever the locale; inf and nan
/// included), or nothing where it spells none or one that a double cannot hold.
std::optional<double> parse_double(std::string_view text);

}  // namespace siamese
