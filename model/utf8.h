#pragma once

#include <string>
#include <string_view>

namespace siamese {

/// Whether all of the text is UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

/// The beginning of a user's text as a message shows it: in quotes, in one line, not too long, and
/// with control characters and bytes that are no UTF-8 as "\xff".
std::string shown(std::string_view text);

}  // namespace siamese
