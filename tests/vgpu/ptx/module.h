#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/vgpu/ptx/types.h"

// PTX as data: what the parser gives and the compiler reads. Names of registers, function-scope
// variables and labels are resolved to indices; module-scope names remain names.
namespace vgpu::ptx {

// One .loc: a place in a file, and where that code was inlined, if it was.
struct Location {
  int file = 0;  // index into Module::files
  int line = 0;
  int inlined_at = -1;  // index into Module::locations
};

struct Relocation {
  std::uint64_t offset = 0;  // bytes into the variable
  std::uint32_t bytes = 8;   // size of the place
  std::string symbol;
  std::int64_t addend = 0;
  std::uint64_t mask = ~std::uint64_t{0};  // 0xFF00(symbol) stores byte 1 of the address
};

struct Variable {
  std::string name;
  Space space = Space::none;
  Type type = Type::none;
  std::uint32_t alignment = 1;
  std::uint64_t bytes = 0;
  bool external = false;  // .extern, so dynamic shared memory where the space is shared
  bool managed = false;
  std::vector<std::byte> initial;  // may be shorter than bytes: the rest is zero
  std::vector<Relocation> relocations;
  bool has_initial = false;
};

struct Operand {
  enum class Kind : std::uint8_t {
    reg,       // index
    variable,  // index of a function-scope variable; value is an offset
    name,      // module-scope variable or function, or a special register; value is an offset
    label,     // index of an instruction
    integer,   // value
    real32,    // value: bits of a float, from 0f...
    real64,    // value: bits of a double, from 0d... or a decimal literal
    address,   // [base + value], base is elements[0] where there is one; further elements follow
    vector,    // {a, b, ...}
    pair,      // a|b
    list,      // (a, b): a call's
    sink,      // _
  };
  Kind kind = Kind::integer;
  bool negated = false;  // !p
  std::int32_t index = -1;
  std::uint64_t value = 0;
  std::string name;
  std::vector<Operand> elements;
};

struct Instruction {
  std::string opcode;                  // "ld"
  std::vector<std::string> modifiers;  // "global", "v4", "f32"
  std::vector<Operand> operands;
  std::int32_t guard = -1;  // register of the predicate
  bool guard_negated = false;
  std::int32_t location = -1;  // index into Module::locations
  int line = 0;                // of the PTX text

  [[nodiscard]] std::string spelling() const {
    std::string text = opcode;
    for (const std::string& m : modifiers) text += "." + m;
    return text;
  }
};

struct Register {
  Type type = Type::none;
};

struct Function {
  std::string name;
  bool kernel = false;
  bool defined = false;
  int line = 0;
  std::vector<Register> registers;
  std::vector<Variable> variables;       // parameters, locals, shared, call parameters
  std::vector<std::int32_t> parameters;  // indices into variables
  std::vector<std::int32_t> returns;
  std::vector<Instruction> instructions;
  std::vector<std::vector<std::int32_t>> branch_tables;  // .branchtargets: instruction indices

  std::uint32_t max_threads[3] = {0, 0, 0};
  std::uint32_t required_threads[3] = {0, 0, 0};
  std::uint32_t required_cluster[3] = {0, 0, 0};
  std::uint32_t max_cluster = 0;  // blocks
  std::uint32_t min_blocks = 0;
  std::uint32_t max_registers = 0;
  bool explicit_cluster = false;
  bool blocks_are_clusters = false;
};

struct Module {
  std::string version;
  std::string target;
  std::vector<std::string> files;  // by .file number, modules of one text after another
  std::vector<Location> locations;
  std::vector<Variable> variables;
  std::vector<Function> functions;
};

}  // namespace vgpu::ptx
