#include "tests/vgpu/ptx/lexer.h"

namespace vgpu::ptx {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%';
}

}  // namespace

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    const char c = peek();
    if (c == '\n') {
      ++line_;
      ++at_;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f') {
      ++at_;
    } else if (c == '#' || (c == '/' && peek(1) == '/')) {
      while (at_ < text_.size() && peek() != '\n') ++at_;
    } else if (c == '/' && peek(1) == '*') {
      at_ += 2;
      while (at_ < text_.size() && !(peek() == '*' && peek(1) == '/')) {
        if (peek() == '\n') ++line_;
        ++at_;
      }
      at_ += at_ < text_.size() ? 2 : 0;
    } else {
      return;
    }
  }
}

std::string_view Lexer::take_word() {
  const std::size_t from = at_;
  while (is_letter(peek()) || is_digit(peek())) ++at_;
  return text_.substr(from, at_ - from);
}

// 12, 0x1F, 0b101, 017, 12U, 1.5, 1e-3, 0f3F800000, 0d3FF0000000000000
std::string_view Lexer::take_number() {
  const std::size_t from = at_;
  const bool prefixed = peek() == '0' && is_letter(peek(1)) && peek(1) != 'e' && peek(1) != 'E';
  while (true) {
    const char c = peek();
    const bool sign_of_exponent = (c == '+' || c == '-') && !prefixed && at_ > from &&
                                  (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E');
    if (!is_digit(c) && !is_letter(c) && !(c == '.' && !prefixed) && !sign_of_exponent) break;
    ++at_;
  }
  return text_.substr(from, at_ - from);
}

Token Lexer::next() {
  skip_blanks();
  Token token;
  token.line = line_;
  if (at_ >= text_.size()) return token;
  const char c = peek();
  if (is_letter(c)) {
    token.kind = TokenKind::word;
    token.text = take_word();
  } else if (is_digit(c)) {
    token.kind = TokenKind::number;
    token.text = take_number();
  } else if (c == '.' && (is_letter(peek(1)) || is_digit(peek(1)))) {
    ++at_;
    token.kind = TokenKind::dotted;
    const std::size_t from = at_;
    take_word();
    while (peek() == ':' && peek(1) == ':' && (is_letter(peek(2)) || is_digit(peek(2)))) {
      at_ += 2;
      take_word();
    }
    token.text = text_.substr(from, at_ - from);
  } else if (c == '"') {
    ++at_;
    const std::size_t from = at_;
    while (at_ < text_.size() && peek() != '"' && peek() != '\n') ++at_;
    token.kind = TokenKind::string;
    token.text = text_.substr(from, at_ - from);
    if (peek() == '"') ++at_;
  } else {
    token.kind = TokenKind::symbol;
    token.text = text_.substr(at_, 1);
    ++at_;
  }
  return token;
}

}  // namespace vgpu::ptx
