#include "model/utf8.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

namespace siamese {
namespace {

// Bytes of the character that `text` begins with; 0 where it begins with none.
std::size_t character_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first < 0xC2   ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  // What a shorter form could say, surrogates, and numbers above U+10FFFF.
  const unsigned second = byte(1);
  const bool wrong = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                     (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return wrong ? 0 : length;
}

// U+0000 to U+001F, U+007F, and U+0080 to U+009F, among which terminals know a second escape.
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  return first < 0x20 || first == 0x7F ||
         (first == 0xC2 && static_cast<unsigned char>(character[1]) < 0xA0);
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string escaped(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const std::string_view character = text.substr(0, std::max<std::size_t>(length, 1));
    if (character == "\n") {
      line += "\\n";
    } else if (length == 0 || is_control(character)) {
      for (const char byte : character) {
        line += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
      }
    } else {
      line += character;
    }
    text.remove_prefix(character.size());
  }
  return line;
}

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 40;
  std::size_t end = 0;
  while (end < std::min(longest, text.size())) {
    end += std::max<std::size_t>(character_length(text.substr(end)), 1);
  }
  return fmt::format("'{}{}'", escaped(text.substr(0, end)), end < text.size() ? ".." : "");
}

}  // namespace siamese
