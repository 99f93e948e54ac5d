#include "tests/vgpu/ptx/scopes.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "tests/vgpu/ptx/error.h"

namespace vgpu::ptx {
namespace {

template <class T>
T& at(std::vector<T>& items, std::int32_t index) {
  return items[static_cast<std::size_t>(index)];
}

}  // namespace

void Scopes::close(Function& function) {
  const std::size_t depth = scopes_.size();
  const Scope scope = std::move(scopes_.back());
  scopes_.pop_back();
  std::erase_if(branches_, [&](const BranchReference& r) {
    Instruction& branch = at(function.instructions, r.instruction);
    Operand& target = branch.operands.back();
    const auto& names = branch.opcode == "brx" ? scope.branch_tables : scope.labels;
    const auto found = names.find(target.name);
    if (r.depth < depth || target.kind != Operand::Kind::name || found == names.end()) return false;
    target.kind = Operand::Kind::label;
    target.index = found->second;
    return true;
  });
  std::erase_if(entries_, [&](const TableReference& r) {
    const auto found = scope.labels.find(r.label);
    if (r.depth < depth || found == scope.labels.end()) return false;
    at(function.branch_tables, r.table).push_back(found->second);
    return true;
  });
}

void Scopes::check_resolved(const Function& function) const {
  if (!branches_.empty()) {
    const auto index = static_cast<std::size_t>(branches_.front().instruction);
    throw PtxError(
        fmt::format("line {}: branch to an unknown label", function.instructions[index].line));
  }
  if (!entries_.empty()) {
    throw PtxError(
        fmt::format("line {}: unknown label {}", entries_.front().line, entries_.front().label));
  }
}

void Scopes::add_register(const std::string& name, std::int32_t index) {
  scopes_.back().registers[name] = index;
}
void Scopes::add_registers(const std::string& prefix, std::int32_t first, std::int32_t count) {
  scopes_.back().ranges[prefix] = {first, count};
}
void Scopes::add_variable(const std::string& name, std::int32_t index) {
  scopes_.back().variables[name] = index;
}
bool Scopes::add_label(const std::string& name, std::int32_t instruction) {
  return scopes_.back().labels.emplace(name, instruction).second;
}
void Scopes::add_branch_table(const std::string& name, std::int32_t index) {
  scopes_.back().branch_tables[name] = index;
}

std::optional<std::int32_t> Scopes::find_register(const std::string& name) const {
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

std::optional<std::int32_t> Scopes::find_variable(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    const auto found = scope->variables.find(name);
    if (found != scope->variables.end()) return found->second;
  }
  return std::nullopt;
}

void Scopes::refer_branch(std::int32_t instruction) {
  branches_.push_back({scopes_.size(), instruction});
}
void Scopes::refer_table(std::int32_t table, const std::string& label, int line) {
  entries_.push_back({scopes_.size(), table, label, line});
}

}  // namespace vgpu::ptx
