#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/vgpu/ptx/module.h"

namespace vgpu::ptx {

// What names mean inside a function: a scope for each pair of braces that is open. Indices are
// those of the function. Labels may be used before they stand there, so what refers to one is
// resolved when the scope that knows it ends.
class Scopes {
 public:
  void open() { scopes_.emplace_back(); }
  // Resolves what refers to the labels of the innermost scope and forgets its names.
  void close(Function& function);
  [[nodiscard]] std::size_t depth() const { return scopes_.size(); }
  // After the last close: throws PtxError when a label is still unknown.
  void check_resolved(const Function& function) const;

  void add_register(const std::string& name, std::int32_t index);
  // %r<count>: registers %r0 to %r(count - 1), from index `first` on.
  void add_registers(const std::string& prefix, std::int32_t first, std::int32_t count);
  void add_variable(const std::string& name, std::int32_t index);
  // False when the scope has that label already.
  [[nodiscard]] bool add_label(const std::string& name, std::int32_t instruction);
  void add_branch_table(const std::string& name, std::int32_t index);

  [[nodiscard]] std::optional<std::int32_t> find_register(const std::string& name) const;
  [[nodiscard]] std::optional<std::int32_t> find_variable(const std::string& name) const;

  // The last operand of a branch names a label, or a branch table.
  void refer_branch(std::int32_t instruction);
  // The next entry of a branch table is this label.
  void refer_table(std::int32_t table, const std::string& label, int line);

 private:
  struct Range {
    std::int32_t first = 0;
    std::int32_t count = 0;
  };
  struct Scope {
    std::unordered_map<std::string, std::int32_t> registers;
    std::unordered_map<std::string, Range> ranges;  // by prefix
    std::unordered_map<std::string, std::int32_t> variables;
    std::unordered_map<std::string, std::int32_t> labels;
    std::unordered_map<std::string, std::int32_t> branch_tables;
  };
  struct BranchReference {
    std::size_t depth = 0;  // number of open scopes where it stands
    std::int32_t instruction = 0;
  };
  struct TableReference {
    std::size_t depth = 0;
    std::int32_t table = 0;
    std::string label;
    int line = 0;
  };

  std::vector<Scope> scopes_;
  std::vector<BranchReference> branches_;
  std::vector<TableReference> entries_;
};

}  // namespace vgpu::ptx
