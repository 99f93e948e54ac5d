#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace siamese {

/// The number that the whole of `text` spells (a decimal point whatever the locale; inf and nan
/// included), or nothing where it spells none or one that a double cannot hold.
std::optional<double> parse_double(std::string_view text);

/// "1 point", "2 points".
std::string counted(std::int64_t count, std::string_view thing);

}  // namespace siamese
