#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/vgpu/ptx/lexer.h"

namespace vgpu::ptx {

// The text as a row of tokens of which one is looked at. What is expected and is not there throws
// PtxError with the line.
class TokenReader {
 public:
  explicit TokenReader(std::string_view text) : lexer_(text) { advance(); }

  [[nodiscard]] const Token& token() const { return token_; }
  void advance() { token_ = lexer_.next(); }
  bool accept(char c);
  void expect(char c);
  std::string expect_word(const char* what);
  std::uint64_t expect_integer();  // a sign is taken modulo 2^64
  std::uint32_t expect_count();    // below 2^31
  // Past the next one of this kind.
  void skip_to(char last);

  [[noreturn]] void fail(const std::string& what) const;
  // The token, for messages.
  [[nodiscard]] std::string here() const;

 private:
  Lexer lexer_;
  Token token_;
};

}  // namespace vgpu::ptx
