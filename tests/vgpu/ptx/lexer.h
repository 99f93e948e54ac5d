#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vgpu::ptx {

enum class TokenKind : std::uint8_t {
  end,
  word,    // identifiers, registers, labels: letters, digits, _ $ %
  dotted,  // a directive or a modifier with its "::" parts; text without the leading dot
  number,  // integer or floating literal as written
  string,  // text without the quotes
  symbol,  // one character
};

struct Token {
  TokenKind kind = TokenKind::end;
  std::string_view text;
  int line = 1;

  [[nodiscard]] bool is(char c) const { return kind == TokenKind::symbol && text.front() == c; }
  [[nodiscard]] bool is_word(std::string_view w) const {
    return kind == TokenKind::word && text == w;
  }
  [[nodiscard]] bool is_dotted(std::string_view w) const {
    return kind == TokenKind::dotted && text == w;
  }
};

// Cuts PTX text into tokens; comments and line markers (#) are dropped. Never fails: a character
// that PTX does not know becomes a symbol that no rule of the parser accepts.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}
  Token next();

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void skip_blanks();
  std::string_view take_word();
  std::string_view take_number();

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
};

}  // namespace vgpu::ptx
