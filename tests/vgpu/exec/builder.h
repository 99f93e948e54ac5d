#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/ptx/module.h"

// What a family of instructions uses to turn a PTX instruction into the executed form.
namespace vgpu {

// Thrown for what is not executed; the text completes the instruction's spelling.
struct Unsupported {
  std::string reason;
};

// The frame of a function while it is laid out.
class FrameLayout {
 public:
  explicit FrameLayout(const ptx::Function& source);

  [[nodiscard]] std::uint32_t register_offset(std::int32_t index) const {
    return registers_[static_cast<std::size_t>(index)];
  }
  std::uint32_t constant(std::uint64_t bits, std::uint32_t bytes);
  std::uint32_t predicate_constant(bool value);
  std::uint32_t special(Special special, std::uint32_t bytes, std::uint32_t addend = 0);
  std::uint32_t scratch(std::uint32_t bytes);  // written by nobody who matters
  ParameterArea area(std::uint64_t bytes);
  // Moves frame and special rows into the function.
  void finish(Function& function);

 private:
  std::uint32_t add(std::uint32_t bytes, std::uint32_t alignment);

  std::vector<std::uint32_t> registers_;
  std::vector<std::byte> frame_;
  std::vector<SpecialRow> specials_;
  std::vector<std::pair<std::pair<std::uint64_t, std::uint32_t>, std::uint32_t>> constants_;
  std::uint32_t register_bytes_ = 0;
  std::uint32_t scratch_ = 0;
};

class KernelCompiler;

class Builder {
 public:
  Builder(KernelCompiler& compiler, const ptx::Function& function, const ptx::Instruction& source,
          FrameLayout& layout, Function& target);

  Instruction out;
  InstructionInfo info;

  // ---- modifiers: each must be taken by the family, or the instruction is unsupported ----
  bool take(std::string_view word);
  // The first of these words that is there, as an index; -1 when none is.
  int take_any(std::initializer_list<std::string_view> words);
  // The first type that is left.
  ptx::Type take_type();
  // The first modifier that is left; empty at the end.
  std::string_view take_next();
  [[nodiscard]] bool has(std::string_view word) const;
  [[nodiscard]] std::string leftover() const;

  // ---- operands ----
  [[nodiscard]] std::size_t operands() const { return source_.operands.size(); }
  [[nodiscard]] const ptx::Operand& operand(std::size_t index) const;
  // Row that is written, or a scratch row for "_"; its register has as many bytes as the type.
  std::uint32_t result(const ptx::Operand& operand, ptx::Type type);
  std::uint32_t result(std::size_t index, ptx::Type type) { return result(operand(index), type); }
  // Row that is read: a register, a constant, a special register or the address of a variable.
  std::uint32_t value(const ptx::Operand& operand, ptx::Type type);
  std::uint32_t value(std::size_t index, ptx::Type type) { return value(operand(index), type); }
  // Offset of a predicate's mask.
  std::uint32_t predicate_result(const ptx::Operand& operand);
  // The mask and what to flip in it (all ones for !p, or a constant).
  std::pair<std::uint32_t, LaneMask> predicate_value(const ptx::Operand& operand);
  // Bytes of the operand's register; of `otherwise` for anything else.
  [[nodiscard]] std::uint32_t register_bytes(const ptx::Operand& operand,
                                             std::uint32_t otherwise) const;
  [[nodiscard]] bool is_predicate(const ptx::Operand& operand) const;
  // The value of an immediate.
  [[nodiscard]] std::uint64_t integer(const ptx::Operand& operand) const;

  // ---- addresses ----
  struct Address {
    std::uint32_t row = 0;    // offset of the base's row
    std::uint32_t bytes = 8;  // of the base: 4 or 8
    std::int64_t offset = 0;  // to be added
  };
  // Of an operand in brackets. A variable of the kernel, or a constant, becomes a constant row.
  Address address(const ptx::Operand& operand);
  // Where a name is; the space that it lies in goes to `space` when wanted.
  std::uint64_t address_of(const ptx::Operand& operand, ptx::Space* space = nullptr);
  // Row that holds it: local variables lie elsewhere in each activation of a function.
  std::uint32_t address_row(const ptx::Operand& operand, std::uint32_t bytes);

  template <class D>
  D& detail() {
    auto owned = std::make_unique<D>();
    D& result = *owned;
    out.detail = owned.get();
    target_.details.push_back(std::move(owned));
    return result;
  }

  [[noreturn]] void unsupported(std::string reason = {}) const;
  void expect_operands(std::size_t count) const;

  KernelCompiler& compiler;
  FrameLayout& layout;
  const ptx::Function& function;
  [[nodiscard]] const ptx::Instruction& source() const { return source_; }
  // Areas of the function's parameters and call parameters, by index of the variable.
  [[nodiscard]] const ParameterArea* area_of(const ptx::Operand& operand) const;

 private:
  const ptx::Instruction& source_;
  Function& target_;
  std::vector<std::string_view> modifiers_;
};

using Build = void (*)(Builder&);

// The opcodes that are executed. Each family adds its own in one function, listed in families.cpp.
class OpcodeTable {
 public:
  void add(std::string_view opcode, InstructionClass kind, Build build);
  struct Entry {
    std::string_view opcode;
    InstructionClass kind;
    Build build;
  };
  [[nodiscard]] const Entry* find(std::string_view opcode) const;

 private:
  std::vector<Entry> entries_;
};

[[nodiscard]] const OpcodeTable& opcode_table();

}  // namespace vgpu
