#include "tests/vgpu/ptx/variables.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "tests/vgpu/ptx/literal.h"

namespace vgpu::ptx {
namespace {

constexpr int kMaxNesting = 64;
constexpr std::uint64_t kMaxVariableBytes = std::uint64_t{1} << 36;
constexpr std::uint64_t kMaxInitialBytes = std::uint64_t{1} << 30;

class VariableParser {
 public:
  explicit VariableParser(TokenReader& in) : in_(in) {}

  // .space [.attribute(...)] [.align n] [.v4] .type name[n] = ..., name2 ...;
  std::vector<Variable> statement(bool external) {
    Variable pattern;
    pattern.external = external;
    std::uint32_t lanes = 1;
    prefix(pattern, lanes);
    std::vector<Variable> result;
    do {
      result.push_back(declarator(pattern, lanes));
    } while (in_.accept(','));
    in_.expect(';');
    return result;
  }

  Variable parameter() {
    Variable pattern;
    std::uint32_t lanes = 1;
    prefix(pattern, lanes);
    return declarator(pattern, lanes);
  }

  Type register_type() {
    Variable pattern;
    std::uint32_t lanes = 1;
    prefix(pattern, lanes);
    if (lanes != 1) in_.fail("vector registers are not supported");
    return pattern.type;
  }

 private:
  void prefix(Variable& v, std::uint32_t& lanes) {
    v.space = in_.token().kind == TokenKind::dotted ? space_of(in_.token().text) : Space::none;
    if (v.space == Space::none) in_.fail(fmt::format("unknown directive {}", in_.here()));
    in_.advance();
    bool aligned = false;
    while (in_.token().kind == TokenKind::dotted && v.type == Type::none) {
      const std::string_view word = in_.token().text;
      if (word == "align") {
        in_.advance();
        v.alignment = in_.expect_count();
        aligned = true;
        if (!std::has_single_bit(v.alignment)) in_.fail("an alignment that is no power of two");
      } else if (word == "attribute") {
        in_.advance();
        in_.expect('(');
        v.managed = v.managed || in_.token().is_dotted("managed");
        in_.skip_to(')');
      } else if (word == "ptr") {  // .param .u64 .ptr .global .align 8 name
        in_.advance();
      } else if (word == "v2" || word == "v4") {
        lanes = word == "v2" ? 2 : 4;
        in_.advance();
      } else {
        v.type = type_of(word);
        if (v.type == Type::none) in_.fail(fmt::format("unknown type {}", in_.here()));
        in_.advance();
      }
    }
    if (v.type == Type::none) in_.fail(fmt::format("expected a type before {}", in_.here()));
    if (!aligned) v.alignment = std::max<std::uint32_t>(1, bytes(v.type) * lanes);
  }

  Variable declarator(const Variable& pattern, std::uint32_t lanes) {
    Variable v = pattern;
    // Kernel parameters may say what they point at: .ptr .global .align 8
    while (in_.token().is_dotted("ptr") || space_word() || in_.token().is_dotted("align")) {
      const bool align = in_.token().is_dotted("align");
      in_.advance();
      if (align) in_.expect_count();
    }
    v.name = in_.expect_word("a variable's name");
    v.bytes = std::uint64_t{bytes(v.type)} * lanes;
    while (in_.accept('[')) {
      const std::uint64_t count = in_.token().is(']') ? 0 : in_.expect_integer();
      in_.expect(']');
      if (count != 0 && v.bytes > kMaxVariableBytes / count) in_.fail("a variable above 64 GiB");
      v.bytes *= count;
    }
    if (in_.accept('=')) initializer(v);
    return v;
  }
  [[nodiscard]] bool space_word() const {
    return in_.token().kind == TokenKind::dotted && space_of(in_.token().text) != Space::none;
  }

  void initializer(Variable& v) {
    v.has_initial = true;
    std::uint64_t at = 0;
    if (in_.token().is('{')) {
      initializer_list(v, at, 0);
    } else {
      initializer_value(v, at);
    }
    v.bytes = std::max(v.bytes, at);
  }
  void initializer_list(Variable& v, std::uint64_t& at, int depth) {
    if (depth > kMaxNesting) in_.fail("an initializer nested too deep");
    in_.expect('{');
    while (!in_.accept('}')) {
      if (in_.token().is('{')) {
        initializer_list(v, at, depth + 1);
      } else {
        initializer_value(v, at);
      }
      if (!in_.token().is('}')) in_.expect(',');
    }
  }
  void initializer_value(Variable& v, std::uint64_t& at) {
    const std::uint32_t size = std::max<std::uint32_t>(1, bytes(v.type));
    std::uint64_t value = 0;
    std::uint64_t mask = ~std::uint64_t{0};
    bool symbol = in_.token().kind == TokenKind::word;
    if (!symbol) {
      value = initializer_number(v.type);
      if (in_.token().is('(')) {  // 0xFF(symbol)
        mask = value;
        symbol = true;
      }
    }
    if (symbol) {
      Relocation r = relocation(mask);
      r.offset = at;
      r.bytes = size;
      v.relocations.push_back(std::move(r));
      value = 0;
    }
    if (at + size > kMaxInitialBytes) in_.fail("an initializer above 1 GiB");
    v.initial.resize(at + size);
    std::memcpy(v.initial.data() + at, &value, std::min<std::size_t>(size, sizeof value));
    at += size;
  }
  std::uint64_t initializer_number(Type type) {
    const bool negative = in_.accept('-');
    const auto literal =
        in_.token().kind == TokenKind::number ? literal_of(in_.token().text) : std::nullopt;
    if (!literal) in_.fail(fmt::format("expected a value before {}", in_.here()));
    in_.advance();
    std::uint64_t value = literal->value;
    if (literal->kind == Operand::Kind::integer) return negative ? 0 - value : value;
    double real = literal->kind == Operand::Kind::real32
                      ? std::bit_cast<float>(static_cast<std::uint32_t>(value))
                      : std::bit_cast<double>(value);
    if (negative) real = -real;
    if (type == Type::f32) {
      return literal->kind == Operand::Kind::real32 && !negative
                 ? value
                 : std::bit_cast<std::uint32_t>(static_cast<float>(real));
    }
    return std::bit_cast<std::uint64_t>(real);
  }
  // symbol, symbol+4, generic(symbol)+4, (any of these)
  Relocation relocation(std::uint64_t mask) {
    Relocation r;
    r.mask = mask;
    int open = 0;
    while (in_.token().is('(') || in_.token().is_word("generic") || in_.token().is_word("mask")) {
      if (in_.accept('(')) {
        ++open;
      } else {
        in_.advance();
      }
      if (open > kMaxNesting) in_.fail("an expression nested too deep");
    }
    r.symbol = in_.expect_word("a symbol");
    while (true) {
      if (open > 0 && in_.accept(')')) {
        --open;
      } else if (in_.accept('+') || in_.token().is('-')) {
        r.addend += static_cast<std::int64_t>(in_.expect_integer());
      } else {
        break;
      }
    }
    if (open > 0) in_.fail("expected ')'");
    return r;
  }

  TokenReader& in_;
};

}  // namespace

std::vector<Variable> parse_variables(TokenReader& in, bool external) {
  return VariableParser(in).statement(external);
}
Variable parse_parameter(TokenReader& in) { return VariableParser(in).parameter(); }
Type parse_register_type(TokenReader& in) { return VariableParser(in).register_type(); }

}  // namespace vgpu::ptx
