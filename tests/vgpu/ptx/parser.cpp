#include "tests/vgpu/ptx/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "tests/vgpu/ptx/error.h"
#include "tests/vgpu/ptx/lexer.h"

namespace vgpu::ptx {
namespace {

constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxRegisters = 1 << 20;
constexpr std::uint64_t kMaxVariableBytes = std::uint64_t{1} << 36;
constexpr std::uint64_t kMaxInitialBytes = std::uint64_t{1} << 30;
constexpr std::size_t kMaxFiles = 1 << 16;

struct Literal {
  Operand::Kind kind = Operand::Kind::integer;
  std::uint64_t value = 0;
};

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

// Names of one pair of braces. Registers of a range, %r<100>, are found by prefix and number.
struct Scope {
  struct Range {
    std::int32_t first = 0;
    std::int32_t count = 0;
  };
  std::unordered_map<std::string, std::int32_t> registers;
  std::unordered_map<std::string, Range> ranges;
  std::unordered_map<std::string, std::int32_t> variables;
  std::unordered_map<std::string, std::int32_t> labels;
  std::unordered_map<std::string, std::int32_t> branch_tables;
};

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) { advance(); }

  Module run() {
    while (token_.kind != TokenKind::end) module_statement();
    return std::move(module_);
  }

 private:
  // ---- tokens ----
  [[noreturn]] void fail(const std::string& what) const {
    throw PtxError(fmt::format("line {}: {}", token_.line, what));
  }
  [[nodiscard]] std::string here() const {
    return token_.kind == TokenKind::end ? "the end"
                                         : fmt::format("'{}'", token_.text.substr(0, 60));
  }
  void advance() { token_ = lexer_.next(); }
  bool accept(char c) {
    if (!token_.is(c)) return false;
    advance();
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail(fmt::format("expected '{}' before {}", c, here()));
  }
  std::string expect_word(const char* what) {
    if (token_.kind != TokenKind::word) fail(fmt::format("expected {} before {}", what, here()));
    std::string text(token_.text);
    advance();
    return text;
  }
  std::uint64_t expect_integer() {
    const bool negative = accept('-');
    const auto literal = token_.kind == TokenKind::number ? literal_of(token_.text) : std::nullopt;
    if (!literal || literal->kind != Operand::Kind::integer) {
      fail(fmt::format("expected an integer before {}", here()));
    }
    advance();
    return negative ? 0 - literal->value : literal->value;
  }
  std::uint32_t expect_count() {
    const std::uint64_t value = expect_integer();
    if (value > 0x7fffffff) fail("a count above 2^31 - 1");
    return static_cast<std::uint32_t>(value);
  }
  void skip_to(char last) {
    while (!token_.is(last)) {
      if (token_.kind == TokenKind::end) fail(fmt::format("expected '{}' before the end", last));
      advance();
    }
    advance();
  }

  // ---- module scope ----
  void module_statement() {
    if (accept(';')) return;
    if (token_.kind != TokenKind::dotted)
      fail(fmt::format("expected a directive before {}", here()));
    if (token_.is_dotted("version")) {
      advance();
      module_.version = token_.text;
      advance();
    } else if (token_.is_dotted("target")) {
      advance();
      module_.target = expect_word("a target");
      while (accept(',')) expect_word("a target option");
    } else if (token_.is_dotted("address_size")) {
      advance();
      if (expect_integer() != 64) fail("only 64-bit addresses are supported");
    } else if (token_.is_dotted("file")) {
      file_directive();
    } else if (token_.is_dotted("section")) {
      skip_to('{');
      int depth = 1;
      while (depth > 0) {
        if (token_.kind == TokenKind::end) fail("a .section without its end");
        depth += token_.is('{') ? 1 : token_.is('}') ? -1 : 0;
        advance();
      }
    } else if (token_.is_dotted("pragma") || token_.is_dotted("alias")) {
      if (token_.is_dotted("alias")) fail(".alias is not supported");
      skip_to(';');
    } else {
      declaration();
    }
  }

  void file_directive() {
    advance();
    const std::uint64_t number = expect_integer();
    if (number >= kMaxFiles) fail("a .file number above 65535");
    if (token_.kind != TokenKind::string) fail("expected a file name");
    if (module_.files.size() <= number) module_.files.resize(number + 1);
    module_.files[number] = token_.text;
    advance();
    while (accept(',')) expect_integer();
  }

  // Linkage, then a function or a variable.
  void declaration() {
    bool external = false;
    while (token_.is_dotted("visible") || token_.is_dotted("extern") || token_.is_dotted("weak") ||
           token_.is_dotted("common")) {
      external = external || token_.is_dotted("extern");
      advance();
    }
    if (token_.is_dotted("entry") || token_.is_dotted("func")) {
      const bool kernel = token_.is_dotted("entry");
      advance();
      function(kernel);
      return;
    }
    std::vector<Variable> variables = variable_statement(external);
    for (Variable& v : variables) module_.variables.push_back(std::move(v));
  }

  // .space [.attribute(...)] [.align n] [.v4] .type name[n] = ..., name2 ...;
  std::vector<Variable> variable_statement(bool external) {
    Variable pattern;
    pattern.external = external;
    std::uint32_t lanes = 1;
    variable_prefix(pattern, lanes);
    std::vector<Variable> result;
    do {
      result.push_back(declarator(pattern, lanes));
    } while (accept(','));
    expect(';');
    return result;
  }

  void variable_prefix(Variable& v, std::uint32_t& lanes) {
    v.space = token_.kind == TokenKind::dotted ? space_of(token_.text) : Space::none;
    if (v.space == Space::none) fail(fmt::format("unknown directive {}", here()));
    advance();
    bool aligned = false;
    while (token_.kind == TokenKind::dotted && v.type == Type::none) {
      const std::string_view word = token_.text;
      if (word == "align") {
        advance();
        v.alignment = expect_count();
        aligned = true;
        if (!std::has_single_bit(v.alignment)) fail("an alignment that is no power of two");
      } else if (word == "attribute") {
        advance();
        expect('(');
        v.managed = v.managed || token_.is_dotted("managed");
        skip_to(')');
      } else if (word == "ptr") {  // .param .u64 .ptr .global .align 8 name
        advance();
      } else if (word == "v2" || word == "v4") {
        lanes = word == "v2" ? 2 : 4;
        advance();
      } else {
        v.type = type_of(word);
        if (v.type == Type::none) fail(fmt::format("unknown type {}", here()));
        advance();
      }
    }
    if (v.type == Type::none) fail(fmt::format("expected a type before {}", here()));
    if (!aligned) v.alignment = std::max<std::uint32_t>(1, bytes(v.type) * lanes);
  }

  Variable declarator(const Variable& pattern, std::uint32_t lanes) {
    Variable v = pattern;
    // Kernel parameters may say what they point at: .ptr .global .align 8
    while (token_.is_dotted("ptr") || space_word() || token_.is_dotted("align")) {
      const bool align = token_.is_dotted("align");
      advance();
      if (align) expect_count();
    }
    v.name = expect_word("a variable's name");
    v.bytes = std::uint64_t{bytes(v.type)} * lanes;
    while (accept('[')) {
      const std::uint64_t count = token_.is(']') ? 0 : expect_integer();
      expect(']');
      if (count != 0 && v.bytes > kMaxVariableBytes / count) fail("a variable above 64 GiB");
      v.bytes *= count;
    }
    if (accept('=')) initializer(v);
    return v;
  }
  [[nodiscard]] bool space_word() const {
    return token_.kind == TokenKind::dotted && space_of(token_.text) != Space::none;
  }

  void initializer(Variable& v) {
    v.has_initial = true;
    std::uint64_t at = 0;
    if (token_.is('{')) {
      initializer_list(v, at, 0);
    } else {
      initializer_value(v, at);
    }
    v.bytes = std::max(v.bytes, at);
  }
  void initializer_list(Variable& v, std::uint64_t& at, int depth) {
    if (depth > kMaxNesting) fail("an initializer nested too deep");
    expect('{');
    while (!accept('}')) {
      if (token_.is('{')) {
        initializer_list(v, at, depth + 1);
      } else {
        initializer_value(v, at);
      }
      if (!token_.is('}')) expect(',');
    }
  }
  void initializer_value(Variable& v, std::uint64_t& at) {
    const std::uint32_t size = std::max<std::uint32_t>(1, bytes(v.type));
    std::uint64_t value = 0;
    std::uint64_t mask = ~std::uint64_t{0};
    bool symbol = token_.kind == TokenKind::word;
    if (!symbol) {
      value = initializer_number(v.type);
      if (token_.is('(')) {  // 0xFF(symbol)
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
    if (at + size > kMaxInitialBytes) fail("an initializer above 1 GiB");
    v.initial.resize(at + size);
    std::memcpy(v.initial.data() + at, &value, std::min<std::size_t>(size, sizeof value));
    at += size;
  }
  std::uint64_t initializer_number(Type type) {
    const bool negative = accept('-');
    const auto literal = token_.kind == TokenKind::number ? literal_of(token_.text) : std::nullopt;
    if (!literal) fail(fmt::format("expected a value before {}", here()));
    advance();
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
    while (token_.is('(') || token_.is_word("generic") || token_.is_word("mask")) {
      if (accept('(')) {
        ++open;
      } else {
        advance();
      }
      if (open > kMaxNesting) fail("an expression nested too deep");
    }
    r.symbol = expect_word("a symbol");
    while (true) {
      if (open > 0 && accept(')')) {
        --open;
      } else if (accept('+')) {
        r.addend += static_cast<std::int64_t>(expect_integer());
      } else if (token_.is('-')) {
        r.addend += static_cast<std::int64_t>(expect_integer());
      } else {
        break;
      }
    }
    if (open > 0) fail("expected ')'");
    return r;
  }

  // ---- functions ----
  void function(bool kernel) {
    Function f;
    f.kernel = kernel;
    f.line = token_.line;
    function_ = &f;
    scopes_.clear();
    scopes_.emplace_back();
    if (token_.is('(')) parameter_list(f.returns);
    f.name = expect_word("a function's name");
    if (token_.is('(')) parameter_list(f.parameters);
    function_directives(f);
    if (!accept(';')) {
      f.defined = true;
      location_ = -1;
      expect('{');
      body();
      close_scope();
      function_references();
    }
    function_ = nullptr;
    keep(std::move(f));
  }

  // A definition replaces its declaration.
  void keep(Function f) {
    for (Function& known : module_.functions) {
      if (known.name != f.name) continue;
      if (f.defined && known.defined) fail(fmt::format("{} is defined twice", f.name));
      if (f.defined) known = std::move(f);
      return;
    }
    module_.functions.push_back(std::move(f));
  }

  void parameter_list(std::vector<std::int32_t>& indices) {
    expect('(');
    while (!accept(')')) {
      Variable v;
      std::uint32_t lanes = 1;
      variable_prefix(v, lanes);
      indices.push_back(add_variable(declarator(v, lanes)));
      if (!token_.is(')')) expect(',');
    }
  }

  void function_directives(Function& f) {
    while (token_.kind == TokenKind::dotted) {
      const std::string_view word = token_.text;
      advance();
      if (word == "maxntid") {
        dimensions(f.max_threads);
      } else if (word == "reqntid") {
        dimensions(f.required_threads);
      } else if (word == "reqnctapercluster") {
        dimensions(f.required_cluster);
      } else if (word == "minnctapersm" || word == "maxnctapersm") {
        f.min_blocks = expect_count();
      } else if (word == "maxnreg") {
        f.max_registers = expect_count();
      } else if (word == "explicitcluster") {
        f.explicit_cluster = true;
      } else if (word == "maxclusterrank") {
        expect_count();
      } else if (word == "pragma" || word == "abi_preserve" || word == "abi_preserve_control") {
        skip_to(';');
      } else if (word != "noreturn" && word != "blocksareclusters") {
        fail(fmt::format("unknown function directive .{}", word));
      }
    }
  }
  void dimensions(std::uint32_t (&d)[3]) {
    d[0] = expect_count();
    d[1] = d[2] = 1;
    for (int i = 1; i < 3 && accept(','); ++i) d[i] = expect_count();
  }

  std::int32_t add_variable(Variable v) {
    const auto index = static_cast<std::int32_t>(function_->variables.size());
    scopes_.back().variables[v.name] = index;
    function_->variables.push_back(std::move(v));
    return index;
  }

  void body() {
    while (!accept('}')) {
      if (token_.kind == TokenKind::end) fail("a function without its end");
      if (accept('{')) {
        if (scopes_.size() > kMaxNesting) fail("braces nested too deep");
        scopes_.emplace_back();
        body();
        close_scope();
      } else if (token_.kind == TokenKind::dotted) {
        body_directive();
      } else if (!accept(';')) {
        label_or_instruction();
      }
    }
  }

  void body_directive() {
    if (token_.is_dotted("loc")) {
      location_directive();
    } else if (token_.is_dotted("reg")) {
      register_directive();
    } else if (token_.is_dotted("pragma")) {
      skip_to(';');
    } else if (token_.is_dotted("file")) {
      file_directive();
    } else {
      for (Variable& v : variable_statement(false)) {
        if (v.space == Space::global || v.space == Space::constant) {
          module_.variables.push_back(std::move(v));
        } else {
          add_variable(std::move(v));
        }
      }
    }
  }

  // .reg .b32 %r<10>, %x;
  void register_directive() {
    Variable pattern;
    std::uint32_t lanes = 1;
    variable_prefix(pattern, lanes);
    if (lanes != 1) fail("vector registers are not supported");
    auto& registers = function_->registers;
    do {
      const std::string name = expect_word("a register's name");
      const auto first = static_cast<std::int32_t>(registers.size());
      std::uint32_t count = 1;
      if (accept('<')) {
        count = expect_count();
        expect('>');
        scopes_.back().ranges[name] = {first, static_cast<std::int32_t>(count)};
      } else {
        scopes_.back().registers[name] = first;
      }
      if (registers.size() + count > kMaxRegisters) fail("more than a million registers");
      registers.resize(registers.size() + count, {pattern.type});
    } while (accept(','));
    expect(';');
  }

  // .loc file line column [, function_name label[+n], inlined_at file line column]
  void location_directive() {
    advance();
    Location location;
    location.file = static_cast<int>(expect_count());
    location.line = static_cast<int>(expect_count());
    const int column = static_cast<int>(expect_count());
    while (accept(',')) {
      const std::string word = expect_word("function_name or inlined_at");
      if (word == "inlined_at") {
        const int file = static_cast<int>(expect_count());
        const int line = static_cast<int>(expect_count());
        const int inlined_column = static_cast<int>(expect_count());
        location.inlined_at = known_location(file, line, inlined_column);
      } else {
        expect_word("a label");
        if (accept('+')) expect_integer();
      }
    }
    location_ = static_cast<std::int32_t>(module_.locations.size());
    module_.locations.push_back(location);
    location_of_[std::array{location.file, location.line, column}] = location_;
  }
  // The place that a later line says it was inlined at; that place may itself be inlined code.
  int known_location(int file, int line, int column) {
    const auto found = location_of_.find(std::array{file, line, column});
    if (found != location_of_.end()) return found->second;
    module_.locations.push_back({file, line, -1});
    const auto index = static_cast<std::int32_t>(module_.locations.size() - 1);
    location_of_[std::array{file, line, column}] = index;
    return index;
  }

  void label_or_instruction() {
    if (token_.kind == TokenKind::word) {
      std::string word(token_.text);
      const int line = token_.line;
      advance();
      if (accept(':')) {
        label(word);
      } else {
        Instruction ins;
        ins.line = line;
        ins.opcode = std::move(word);
        instruction(std::move(ins));
      }
      return;
    }
    if (!accept('@')) fail(fmt::format("expected an instruction before {}", here()));
    Instruction ins;
    ins.line = token_.line;
    ins.guard_negated = accept('!');
    const std::string name = expect_word("a predicate");
    const auto reg = find_register(name);
    if (!reg || function_->registers[static_cast<std::size_t>(*reg)].type != Type::pred) {
      fail(fmt::format("{} is no predicate", name));
    }
    ins.guard = *reg;
    ins.opcode = expect_word("an instruction");
    instruction(std::move(ins));
  }

  void label(const std::string& name) {
    Scope& scope = scopes_.back();
    if (token_.is_dotted("branchtargets")) {
      advance();
      std::vector<std::int32_t> table;
      const auto index = static_cast<std::int32_t>(function_->branch_tables.size());
      function_->branch_tables.emplace_back();
      do {
        table_references_.push_back({scopes_.size(), index, expect_word("a label")});
      } while (accept(','));
      expect(';');
      scope.branch_tables[name] = index;
    } else if (token_.is_dotted("callprototype") || token_.is_dotted("calltargets")) {
      skip_to(';');
    } else if (!scope.labels
                    .emplace(name, static_cast<std::int32_t>(function_->instructions.size()))
                    .second) {
      fail(fmt::format("label {} is defined twice", name));
    }
  }

  void instruction(Instruction ins) {
    while (token_.kind == TokenKind::dotted) {
      ins.modifiers.emplace_back(token_.text);
      advance();
    }
    ins.location = location_;
    if (!token_.is(';')) {
      do {
        ins.operands.push_back(operand(0));
      } while (accept(','));
    }
    expect(';');
    const auto index = static_cast<std::int32_t>(function_->instructions.size());
    if (!ins.operands.empty() && (ins.opcode == "bra" || ins.opcode == "brx")) {
      references_.push_back({scopes_.size(), index, {}});
    }
    function_->instructions.push_back(std::move(ins));
  }

  // ---- operands ----
  [[nodiscard]] std::optional<std::int32_t> find_register(const std::string& name) const {
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto found = scope->registers.find(name); found != scope->registers.end()) {
        return found->second;
      }
      const std::size_t digits = name.find_last_not_of("0123456789") + 1;
      if (digits == name.size() || digits == 0) continue;
      const auto range = scope->ranges.find(name.substr(0, digits));
      if (range == scope->ranges.end()) continue;
      std::int32_t number = 0;
      const auto [end, error] =
          std::from_chars(name.data() + digits, name.data() + name.size(), number);
      if (error == std::errc{} && number < range->second.count) return range->second.first + number;
    }
    return std::nullopt;
  }

  Operand operand(int depth) {
    if (depth > kMaxNesting) fail("an operand nested too deep");
    if (accept('!')) {
      Operand inner = operand(depth + 1);
      if (inner.kind != Operand::Kind::reg) fail("expected a predicate after '!'");
      inner.negated = true;
      return inner;
    }
    if (accept('{')) return group(Operand::Kind::vector, '}', depth);
    if (accept('(')) return group(Operand::Kind::list, ')', depth);
    if (accept('[')) return address(depth);
    Operand result = simple_operand();
    if (accept('|')) {
      Operand pair;
      pair.kind = Operand::Kind::pair;
      pair.elements.push_back(std::move(result));
      pair.elements.push_back(operand(depth + 1));
      return pair;
    }
    return result;
  }

  Operand group(Operand::Kind kind, char last, int depth) {
    Operand result;
    result.kind = kind;
    while (!accept(last)) {
      result.elements.push_back(operand(depth + 1));
      if (!token_.is(last)) expect(',');
    }
    return result;
  }

  Operand address(int depth) {
    Operand result;
    result.kind = Operand::Kind::address;
    result.elements.push_back(simple_operand());
    Operand& base = result.elements.front();
    if (base.kind != Operand::Kind::reg) std::swap(result.value, base.value);
    while (accept('+') || token_.is('-')) result.value += expect_integer();
    while (accept(',')) result.elements.push_back(operand(depth + 1));
    expect(']');
    return result;
  }

  Operand simple_operand() {
    Operand result;
    if (token_.is('-') || token_.kind == TokenKind::number) {
      const bool negative = accept('-');
      const auto literal =
          token_.kind == TokenKind::number ? literal_of(token_.text) : std::nullopt;
      if (!literal) fail(fmt::format("expected a number before {}", here()));
      advance();
      result.kind = literal->kind;
      result.value = literal->value;
      if (negative) {
        if (result.kind == Operand::Kind::integer) {
          result.value = 0 - result.value;
        } else {
          result.value ^= result.kind == Operand::Kind::real32 ? std::uint64_t{1} << 31
                                                               : std::uint64_t{1} << 63;
        }
      }
      return result;
    }
    std::string name = expect_word("an operand");
    if (name == "_") {
      result.kind = Operand::Kind::sink;
      return result;
    }
    if (const auto reg = find_register(name)) {
      result.kind = Operand::Kind::reg;
      result.index = *reg;
      return result;
    }
    if (name == "WARP_SZ") {
      result.value = 32;
      return result;
    }
    if (name.front() == '%') {  // %tid.x
      while (token_.kind == TokenKind::dotted) {
        name += "." + std::string(token_.text);
        advance();
      }
    }
    result.kind = Operand::Kind::name;
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const auto found = scope->variables.find(name); found != scope->variables.end()) {
        result.kind = Operand::Kind::variable;
        result.index = found->second;
        break;
      }
    }
    result.name = std::move(name);
    if (accept('+')) result.value = expect_integer();
    return result;
  }

  // ---- labels: a reference is resolved when the scope that knows the label ends ----
  struct Reference {
    std::size_t depth = 0;   // number of open scopes where it stands
    std::int32_t index = 0;  // instruction, or branch table
    std::string name;        // of a branch table's entry
  };

  void close_scope() {
    const Scope scope = std::move(scopes_.back());
    scopes_.pop_back();
    const std::size_t depth = scopes_.size() + 1;
    std::vector<Reference> open;
    for (Reference& r : references_) {
      Operand& target = function_->instructions[static_cast<std::size_t>(r.index)].operands.back();
      const bool table = function_->instructions[static_cast<std::size_t>(r.index)].opcode == "brx";
      const auto& names = table ? scope.branch_tables : scope.labels;
      const auto found = names.find(target.name);
      if (r.depth >= depth && target.kind == Operand::Kind::name && found != names.end()) {
        target.kind = Operand::Kind::label;
        target.index = found->second;
      } else {
        open.push_back(std::move(r));
      }
    }
    references_ = std::move(open);
    std::vector<Reference> open_tables;
    for (Reference& r : table_references_) {
      const auto found = scope.labels.find(r.name);
      if (r.depth >= depth && found != scope.labels.end()) {
        function_->branch_tables[static_cast<std::size_t>(r.index)].push_back(found->second);
      } else {
        open_tables.push_back(std::move(r));
      }
    }
    table_references_ = std::move(open_tables);
  }

  void function_references() {
    if (!references_.empty()) {
      const Instruction& ins =
          function_->instructions[static_cast<std::size_t>(references_.front().index)];
      throw PtxError(fmt::format("line {}: branch to an unknown label", ins.line));
    }
    if (!table_references_.empty())
      fail(fmt::format("unknown label {}", table_references_.front().name));
  }

  Lexer lexer_;
  Token token_;
  Module module_;
  Function* function_ = nullptr;
  std::vector<Scope> scopes_;
  std::int32_t location_ = -1;
  std::map<std::array<int, 3>, std::int32_t> location_of_;
  std::vector<Reference> references_;
  std::vector<Reference> table_references_;
};

}  // namespace

Module parse(std::string_view text) { return Parser(text).run(); }

}  // namespace vgpu::ptx
