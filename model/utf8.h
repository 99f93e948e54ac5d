#pragma once

#include <string>
#include <string_view>

namespace siamese {

/// Whether all of the text is UTF-8 (RFC 3629).
bool is_utf8(std::string_view text);

/// The text in one line that a terminal shows as it is: a new line as "\n", other control
/// characters and bytes that are no UTF-8 as "\xff". Done twice it changes nothing more.
std::string escaped(std::string_view text);

/// The beginning of a user's text as a message shows it: escaped, in quotes, and not too long.
std::string shown(std::string_view text);

}  // namespace siamese
