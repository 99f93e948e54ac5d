#include "tests/vgpu/ptx/literal.h"

#include <bit>
#include <charconv>
#include <cstdlib>
#include <string>

namespace vgpu::ptx {

std::optional<Literal> literal_of(std::string_view text) {
  const auto from_digits = [](std::string_view digits, int base) -> std::optional<std::uint64_t> {
    if (!digits.empty() && (digits.back() == 'U' || digits.back() == 'u')) digits.remove_suffix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), value, base);
    if (error != std::errc{} || end != digits.end()) return std::nullopt;
    return value;
  };
  const auto of_kind = [](Operand::Kind kind,
                          std::optional<std::uint64_t> v) -> std::optional<Literal> {
    if (!v) return std::nullopt;
    return Literal{kind, *v};
  };
  using Kind = Operand::Kind;
  if (text.size() > 1 && text[0] == '0') {
    const std::string_view digits = text.substr(2);
    switch (text[1]) {
      case 'f':
      case 'F':
        return of_kind(Kind::real32, from_digits(digits, 16));
      case 'd':
      case 'D':
        return of_kind(Kind::real64, from_digits(digits, 16));
      case 'x':
      case 'X':
        return of_kind(Kind::integer, from_digits(digits, 16));
      case 'b':
      case 'B':
        return of_kind(Kind::integer, from_digits(digits, 2));
      default:
        break;
    }
  }
  if (text.find_first_of(".eE") != std::string_view::npos) {
    const std::string copy(text);
    char* end = nullptr;
    const double value = std::strtod(copy.c_str(), &end);
    if (end != copy.c_str() + copy.size()) return std::nullopt;
    return Literal{Kind::real64, std::bit_cast<std::uint64_t>(value)};
  }
  const bool octal = text.size() > 1 && text[0] == '0';
  return of_kind(Kind::integer, from_digits(text, octal ? 8 : 10));
}

}  // namespace vgpu::ptx
