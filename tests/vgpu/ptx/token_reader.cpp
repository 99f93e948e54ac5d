#include "tests/vgpu/ptx/token_reader.h"

#include <fmt/format.h>

#include <optional>

#include "tests/vgpu/ptx/error.h"
#include "tests/vgpu/ptx/literal.h"

namespace vgpu::ptx {

void TokenReader::fail(const std::string& what) const {
  throw PtxError(fmt::format("line {}: {}", token_.line, what));
}

std::string TokenReader::here() const {
  return token_.kind == TokenKind::end ? "the end" : fmt::format("'{}'", token_.text.substr(0, 60));
}

bool TokenReader::accept(char c) {
  if (!token_.is(c)) return false;
  advance();
  return true;
}

void TokenReader::expect(char c) {
  if (!accept(c)) fail(fmt::format("expected '{}' before {}", c, here()));
}

std::string TokenReader::expect_word(const char* what) {
  if (token_.kind != TokenKind::word) fail(fmt::format("expected {} before {}", what, here()));
  std::string text(token_.text);
  advance();
  return text;
}

std::uint64_t TokenReader::expect_integer() {
  const bool negative = accept('-');
  const auto literal = token_.kind == TokenKind::number ? literal_of(token_.text) : std::nullopt;
  if (!literal || literal->kind != Operand::Kind::integer) {
    fail(fmt::format("expected an integer before {}", here()));
  }
  advance();
  return negative ? 0 - literal->value : literal->value;
}

std::uint32_t TokenReader::expect_count() {
  const std::uint64_t value = expect_integer();
  if (value > 0x7fffffff) fail("a count above 2^31 - 1");
  return static_cast<std::uint32_t>(value);
}

void TokenReader::skip_to(char last) {
  while (!token_.is(last)) {
    if (token_.kind == TokenKind::end) fail(fmt::format("expected '{}' before the end", last));
    advance();
  }
  advance();
}

}  // namespace vgpu::ptx
