#include "tests/vgpu/ptx/parser.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/vgpu/ptx/literal.h"
#include "tests/vgpu/ptx/scopes.h"
#include "tests/vgpu/ptx/token_reader.h"
#include "tests/vgpu/ptx/variables.h"

namespace vgpu::ptx {
namespace {

constexpr int kMaxNesting = 64;
constexpr std::size_t kMaxRegisters = 1 << 20;
constexpr std::size_t kMaxFiles = 1 << 16;

class Parser {
 public:
  explicit Parser(std::string_view text) : in_(text) {}

  Module run() {
    while (in_.token().kind != TokenKind::end) module_statement();
    return std::move(module_);
  }

 private:
  // ---- module scope ----
  void module_statement() {
    if (in_.accept(';')) return;
    if (in_.token().kind != TokenKind::dotted)
      in_.fail(fmt::format("expected a directive before {}", in_.here()));
    if (in_.token().is_dotted("version")) {
      in_.advance();
      module_.version = in_.token().text;
      in_.advance();
      first_file_ = module_.files.size();
      location_of_.clear();
    } else if (in_.token().is_dotted("target")) {
      in_.advance();
      module_.target = in_.expect_word("a target");
      while (in_.accept(',')) in_.expect_word("a target option");
    } else if (in_.token().is_dotted("address_size")) {
      in_.advance();
      if (in_.expect_integer() != 64) in_.fail("only 64-bit addresses are supported");
    } else if (in_.token().is_dotted("file")) {
      file_directive();
    } else if (in_.token().is_dotted("section")) {
      in_.skip_to('{');
      int depth = 1;
      while (depth > 0) {
        if (in_.token().kind == TokenKind::end) in_.fail("a .section without its end");
        depth += in_.token().is('{') ? 1 : in_.token().is('}') ? -1 : 0;
        in_.advance();
      }
    } else if (in_.token().is_dotted("pragma") || in_.token().is_dotted("alias")) {
      if (in_.token().is_dotted("alias")) in_.fail(".alias is not supported");
      in_.skip_to(';');
    } else {
      declaration();
    }
  }

  void file_directive() {
    in_.advance();
    const std::uint64_t given = in_.expect_integer();
    if (given >= kMaxFiles) in_.fail("a .file number above 65535");
    const std::uint64_t number = first_file_ + given;
    if (in_.token().kind != TokenKind::string) in_.fail("expected a file name");
    if (module_.files.size() <= number) module_.files.resize(number + 1);
    module_.files[number] = in_.token().text;
    in_.advance();
    while (in_.accept(',')) in_.expect_integer();
  }

  // Linkage, then a function or a variable.
  void declaration() {
    bool external = false;
    while (in_.token().is_dotted("visible") || in_.token().is_dotted("extern") ||
           in_.token().is_dotted("weak") || in_.token().is_dotted("common")) {
      external = external || in_.token().is_dotted("extern");
      in_.advance();
    }
    if (in_.token().is_dotted("entry") || in_.token().is_dotted("func")) {
      const bool kernel = in_.token().is_dotted("entry");
      in_.advance();
      function(kernel);
      return;
    }
    for (Variable& v : parse_variables(in_, external)) module_.variables.push_back(std::move(v));
  }

  // ---- functions ----
  void function(bool kernel) {
    Function f;
    f.kernel = kernel;
    f.line = in_.token().line;
    function_ = &f;
    scopes_ = {};
    scopes_.open();
    if (in_.token().is('(')) parameter_list(f.returns);
    f.name = in_.expect_word("a function's name");
    if (in_.token().is('(')) parameter_list(f.parameters);
    function_directives(f);
    if (!in_.accept(';')) {
      f.defined = true;
      location_ = -1;
      in_.expect('{');
      body();
      scopes_.close(f);
      scopes_.check_resolved(f);
    }
    function_ = nullptr;
    keep(std::move(f));
  }

  // A definition replaces its declaration.
  void keep(Function f) {
    for (Function& known : module_.functions) {
      if (known.name != f.name) continue;
      if (f.defined && known.defined) in_.fail(fmt::format("{} is defined twice", f.name));
      if (f.defined) known = std::move(f);
      return;
    }
    module_.functions.push_back(std::move(f));
  }

  void parameter_list(std::vector<std::int32_t>& indices) {
    in_.expect('(');
    while (!in_.accept(')')) {
      indices.push_back(add_variable(parse_parameter(in_)));
      if (!in_.token().is(')')) in_.expect(',');
    }
  }

  void function_directives(Function& f) {
    while (in_.token().kind == TokenKind::dotted) {
      const std::string_view word = in_.token().text;
      in_.advance();
      if (word == "maxntid") {
        dimensions(f.max_threads);
      } else if (word == "reqntid") {
        dimensions(f.required_threads);
      } else if (word == "reqnctapercluster") {
        dimensions(f.required_cluster);
      } else if (word == "minnctapersm" || word == "maxnctapersm") {
        f.min_blocks = in_.expect_count();
      } else if (word == "maxnreg") {
        f.max_registers = in_.expect_count();
      } else if (word == "explicitcluster") {
        f.explicit_cluster = true;
      } else if (word == "maxclusterrank") {
        f.max_cluster = in_.expect_count();
      } else if (word == "blocksareclusters") {
        f.blocks_are_clusters = true;
      } else if (word == "pragma" || word == "abi_preserve" || word == "abi_preserve_control") {
        in_.skip_to(';');
      } else if (word != "noreturn") {
        in_.fail(fmt::format("unknown function directive .{}", word));
      }
    }
  }
  void dimensions(std::uint32_t (&d)[3]) {
    d[0] = in_.expect_count();
    d[1] = d[2] = 1;
    for (int i = 1; i < 3 && in_.accept(','); ++i) d[i] = in_.expect_count();
  }

  std::int32_t add_variable(Variable v) {
    const auto index = static_cast<std::int32_t>(function_->variables.size());
    scopes_.add_variable(v.name, index);
    function_->variables.push_back(std::move(v));
    return index;
  }

  void body() {
    while (!in_.accept('}')) {
      if (in_.token().kind == TokenKind::end) in_.fail("a function without its end");
      if (in_.accept('{')) {
        if (scopes_.depth() > std::size_t{kMaxNesting}) in_.fail("braces nested too deep");
        scopes_.open();
        body();
        scopes_.close(*function_);
      } else if (in_.token().kind == TokenKind::dotted) {
        body_directive();
      } else if (!in_.accept(';')) {
        label_or_instruction();
      }
    }
  }

  void body_directive() {
    if (in_.token().is_dotted("loc")) {
      location_directive();
    } else if (in_.token().is_dotted("reg")) {
      register_directive();
    } else if (in_.token().is_dotted("pragma")) {
      in_.skip_to(';');
    } else if (in_.token().is_dotted("file")) {
      file_directive();
    } else {
      for (Variable& v : parse_variables(in_, false)) {
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
    const Type type = parse_register_type(in_);
    auto& registers = function_->registers;
    do {
      const std::string name = in_.expect_word("a register's name");
      const auto first = static_cast<std::int32_t>(registers.size());
      std::uint32_t count = 1;
      if (in_.accept('<')) {
        count = in_.expect_count();
        in_.expect('>');
        scopes_.add_registers(name, first, static_cast<std::int32_t>(count));
      } else {
        scopes_.add_register(name, first);
      }
      if (registers.size() + count > kMaxRegisters) in_.fail("more than a million registers");
      registers.resize(registers.size() + count, {type});
    } while (in_.accept(','));
    in_.expect(';');
  }

  // .loc file line column [, function_name label[+n], inlined_at file line column]
  void location_directive() {
    in_.advance();
    Location location;
    location.file = file_number();
    location.line = static_cast<int>(in_.expect_count());
    const int column = static_cast<int>(in_.expect_count());
    while (in_.accept(',')) {
      const std::string word = in_.expect_word("function_name or inlined_at");
      if (word == "inlined_at") {
        const int file = file_number();
        const int line = static_cast<int>(in_.expect_count());
        const int inlined_column = static_cast<int>(in_.expect_count());
        location.inlined_at = known_location(file, line, inlined_column);
      } else {
        in_.expect_word("a label");
        if (in_.accept('+')) in_.expect_integer();
      }
    }
    location_ = static_cast<std::int32_t>(module_.locations.size());
    module_.locations.push_back(location);
    location_of_[std::array{location.file, location.line, column}] = location_;
  }
  // Of a .file directive of this module; those of modules before it in the text come first.
  int file_number() { return static_cast<int>(first_file_ + in_.expect_count()); }
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
    if (in_.token().kind == TokenKind::word) {
      std::string word(in_.token().text);
      const int line = in_.token().line;
      in_.advance();
      if (in_.accept(':')) {
        label(word);
      } else {
        Instruction ins;
        ins.line = line;
        ins.opcode = std::move(word);
        instruction(std::move(ins));
      }
      return;
    }
    if (!in_.accept('@')) in_.fail(fmt::format("expected an instruction before {}", in_.here()));
    Instruction ins;
    ins.line = in_.token().line;
    ins.guard_negated = in_.accept('!');
    const std::string name = in_.expect_word("a predicate");
    const auto reg = scopes_.find_register(name);
    if (!reg || function_->registers[static_cast<std::size_t>(*reg)].type != Type::pred) {
      in_.fail(fmt::format("{} is no predicate", name));
    }
    ins.guard = *reg;
    ins.opcode = in_.expect_word("an instruction");
    instruction(std::move(ins));
  }

  void label(const std::string& name) {
    if (in_.token().is_dotted("branchtargets")) {
      in_.advance();
      const auto index = static_cast<std::int32_t>(function_->branch_tables.size());
      function_->branch_tables.emplace_back();
      do {
        const int line = in_.token().line;
        scopes_.refer_table(index, in_.expect_word("a label"), line);
      } while (in_.accept(','));
      in_.expect(';');
      scopes_.add_branch_table(name, index);
    } else if (in_.token().is_dotted("callprototype") || in_.token().is_dotted("calltargets")) {
      in_.skip_to(';');
    } else if (!scopes_.add_label(name,
                                  static_cast<std::int32_t>(function_->instructions.size()))) {
      in_.fail(fmt::format("label {} is defined twice", name));
    }
  }

  void instruction(Instruction ins) {
    while (in_.token().kind == TokenKind::dotted) {
      ins.modifiers.emplace_back(in_.token().text);
      in_.advance();
    }
    ins.location = location_;
    if (!in_.token().is(';')) {
      do {
        ins.operands.push_back(operand(0));
      } while (in_.accept(','));
    }
    in_.expect(';');
    const auto index = static_cast<std::int32_t>(function_->instructions.size());
    if (!ins.operands.empty() && (ins.opcode == "bra" || ins.opcode == "brx")) {
      scopes_.refer_branch(index);
    }
    function_->instructions.push_back(std::move(ins));
  }

  // ---- operands ----

  Operand operand(int depth) {
    if (depth > kMaxNesting) in_.fail("an operand nested too deep");
    if (in_.accept('!')) {
      Operand inner = operand(depth + 1);
      if (inner.kind != Operand::Kind::reg) in_.fail("expected a predicate after '!'");
      inner.negated = true;
      return inner;
    }
    if (in_.accept('{')) return group(Operand::Kind::vector, '}', depth);
    if (in_.accept('(')) return group(Operand::Kind::list, ')', depth);
    if (in_.accept('[')) return address(depth);
    Operand result = simple_operand();
    if (in_.accept('|')) {
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
    while (!in_.accept(last)) {
      result.elements.push_back(operand(depth + 1));
      if (!in_.token().is(last)) in_.expect(',');
    }
    return result;
  }

  Operand address(int depth) {
    Operand result;
    result.kind = Operand::Kind::address;
    result.elements.push_back(simple_operand());
    Operand& base = result.elements.front();
    if (base.kind != Operand::Kind::reg) std::swap(result.value, base.value);
    while (in_.accept('+') || in_.token().is('-')) result.value += in_.expect_integer();
    while (in_.accept(',')) result.elements.push_back(operand(depth + 1));
    in_.expect(']');
    return result;
  }

  Operand simple_operand() {
    Operand result;
    if (in_.token().is('-') || in_.token().kind == TokenKind::number) {
      const bool negative = in_.accept('-');
      const auto literal =
          in_.token().kind == TokenKind::number ? literal_of(in_.token().text) : std::nullopt;
      if (!literal) in_.fail(fmt::format("expected a number before {}", in_.here()));
      in_.advance();
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
    std::string name = in_.expect_word("an operand");
    if (name == "_") {
      result.kind = Operand::Kind::sink;
      return result;
    }
    if (const auto reg = scopes_.find_register(name)) {
      result.kind = Operand::Kind::reg;
      result.index = *reg;
      return result;
    }
    if (name == "WARP_SZ") {
      result.value = 32;
      return result;
    }
    if (name.front() == '%') {  // %tid.x
      while (in_.token().kind == TokenKind::dotted) {
        name += "." + std::string(in_.token().text);
        in_.advance();
      }
    }
    result.kind = Operand::Kind::name;
    if (const auto variable = scopes_.find_variable(name)) {
      result.kind = Operand::Kind::variable;
      result.index = *variable;
    }
    result.name = std::move(name);
    if (in_.accept('+')) result.value = in_.expect_integer();
    return result;
  }

  TokenReader in_;
  Module module_;
  Function* function_ = nullptr;
  Scopes scopes_;
  std::int32_t location_ = -1;
  std::size_t first_file_ = 0;  // index of this module's .file 0
  std::map<std::array<int, 3>, std::int32_t> location_of_;
};

}  // namespace

Module parse(std::string_view text) { return Parser(text).run(); }

}  // namespace vgpu::ptx
