#include "tests/vgpu/exec/registers.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <functional>
#include <iterator>
#include <map>
#include <queue>
#include <string_view>
#include <utility>

namespace vgpu {
namespace {

using ptx::Operand;

// Instructions that write the whole of their first operand, where they are executed, and read the
// others.
constexpr std::string_view kWriters[] = {
    "abs",      "activemask", "add",      "addc", "and",   "atom",     "bfe",  "bfi",
    "bfind",    "bmsk",       "brev",     "clz",  "cnot",  "copysign", "cos",  "cvt",
    "cvta",     "div",        "dp2a",     "dp4a", "elect", "ex2",      "fma",  "getctarank",
    "isspacep", "ld",         "ldmatrix", "ldu",  "lg2",   "lop3",     "mad",  "mad24",
    "madc",     "mapa",       "match",    "max",  "min",   "mma",      "mov",  "movmatrix",
    "mul",      "mul24",      "neg",      "not",  "or",    "popc",     "prmt", "rcp",
    "redux",    "rem",        "rsqrt",    "sad",  "selp",  "set",      "setp", "shf",
    "shfl",     "shl",        "shr",      "sin",  "slct",  "sqrt",     "sub",  "subc",
    "szext",    "tanh",       "testp",    "vote", "xor"};
// Instructions that read all of their operands.
constexpr std::string_view kReaders[] = {"bra", "cp", "red", "st", "stmatrix"};
// Instructions after which the next one in the text is not executed, unless they have a guard.
constexpr std::string_view kLeavers[] = {"bra", "brx", "exit", "ret", "trap"};

template <std::size_t kCount>
bool among(const std::string_view (&names)[kCount], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// What an instruction does with registers.
struct Touched {
  std::vector<std::int32_t> read, written;
  std::vector<std::int32_t> otherwise;  // written in part, later, or nobody knows
};

void gather(const Operand& operand, std::vector<std::int32_t>& registers) {
  if (operand.kind == Operand::Kind::reg) registers.push_back(operand.index);
  for (const Operand& element : operand.elements) gather(element, registers);
}

Touched touched_by(const ptx::Instruction& ins) {
  Touched touched;
  const bool writes = among(kWriters, ins.opcode);
  const bool reads = among(kReaders, ins.opcode);
  for (std::size_t i = 0; i < ins.operands.size(); ++i) {
    const bool result = writes && i == 0;
    gather(ins.operands[i], result            ? touched.written
                            : writes || reads ? touched.read
                                              : touched.otherwise);
  }
  // Where the guard does not hold, a register keeps its value.
  if (ins.guard >= 0) {
    touched.read.insert(touched.read.end(), touched.written.begin(), touched.written.end());
    touched.written.clear();
  }
  return touched;
}

// A set of registers.
class Set {
 public:
  explicit Set(std::size_t registers) : words_((registers + 63) / 64) {}

  void insert(std::int32_t r) { word(r) |= bit(r); }
  void erase(std::int32_t r) { word(r) &= ~bit(r); }
  [[nodiscard]] bool contains(std::int32_t r) const {
    return (words_[static_cast<std::size_t>(r) / 64] & bit(r)) != 0;
  }
  // Adds `more` without `less`. Returns whether that changed anything.
  bool add(const Set& more, const Set& less) {
    std::uint64_t changed = 0;
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::uint64_t added = more.words_[i] & ~less.words_[i] & ~words_[i];
      words_[i] |= added;
      changed |= added;
    }
    return changed != 0;
  }
  template <class Visit>
  void visit(Visit visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t rest = words_[i]; rest != 0; rest &= rest - 1) {
        visit(static_cast<std::int32_t>(64 * i) + std::countr_zero(rest));
      }
    }
  }

 private:
  std::uint64_t& word(std::int32_t r) { return words_[static_cast<std::size_t>(r) / 64]; }
  static std::uint64_t bit(std::int32_t r) { return std::uint64_t{1} << (r % 64); }

  std::vector<std::uint64_t> words_;
};

// Instructions that are executed one after the other, from the first to the last.
struct Stretch {
  std::size_t first, last;
  std::vector<std::size_t> next;  // stretches that may follow
  Set alive;                      // registers whose values are needed at its start
  Set written;
};

// Where a jump may go.
std::vector<std::size_t> targets_of(const ptx::Function& function, const ptx::Instruction& ins) {
  std::vector<std::size_t> targets;
  if (ins.opcode == "brx") {
    for (const auto& table : function.branch_tables) {
      targets.insert(targets.end(), table.begin(), table.end());
    }
  }
  for (const Operand& operand : ins.operands) {
    if (operand.kind == Operand::Kind::label) {
      targets.push_back(static_cast<std::size_t>(operand.index));
    }
  }
  return targets;
}

std::vector<Stretch> stretches_of(const ptx::Function& function) {
  const auto& code = function.instructions;
  std::vector<bool> starts(code.size() + 1, false);
  starts[0] = true;
  for (std::size_t i = 0; i < code.size(); ++i) {
    const std::vector<std::size_t> targets = targets_of(function, code[i]);
    for (const std::size_t target : targets) starts[target] = true;
    if (!targets.empty() || among(kLeavers, code[i].opcode)) starts[i + 1] = true;
  }
  std::vector<Stretch> stretches;
  std::vector<std::size_t> number(code.size() + 1);  // of the stretch that holds an instruction
  const Set none(function.registers.size());
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (starts[i]) stretches.push_back({i, i, {}, none, none});
    stretches.back().last = i;
    number[i] = stretches.size() - 1;
  }
  for (Stretch& s : stretches) {
    const ptx::Instruction& end = code[s.last];
    const bool leaves = end.guard < 0 && among(kLeavers, end.opcode);
    if (!leaves && s.last + 1 < code.size()) s.next.push_back(number[s.last + 1]);
    for (const std::size_t target : targets_of(function, end)) {
      if (target < code.size()) s.next.push_back(number[target]);
    }
  }
  return stretches;
}

// From the first instruction at which a register may hold a value that matters to the last.
struct Span {
  std::size_t first = ~std::size_t{0}, last = 0;

  void extend(std::size_t at) {
    first = std::min(first, at);
    last = std::max(last, at);
  }
};

class Lives {
 public:
  explicit Lives(const ptx::Function& function)
      : own_row_(function.registers.size()), spans_(function.registers.size()) {
    std::vector<Touched> touched;
    for (const ptx::Instruction& ins : function.instructions) touched.push_back(touched_by(ins));
    std::vector<Stretch> stretches = stretches_of(function);
    for (Stretch& s : stretches) {
      for (std::size_t i = s.last + 1; i-- > s.first;) {
        for (const std::int32_t r : touched[i].written) {
          s.alive.erase(r);
          s.written.insert(r);
        }
        for (const std::int32_t r : touched[i].read) s.alive.insert(r);
        for (const std::int32_t r : touched[i].otherwise) own_row_.insert(r);
      }
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t i = stretches.size(); i-- > 0;) {
        Stretch& s = stretches[i];
        for (const std::size_t n : s.next) changed |= s.alive.add(stretches[n].alive, s.written);
      }
    }
    const auto extend = [&](std::size_t at) {
      return [this, at](std::int32_t r) { spans_[static_cast<std::size_t>(r)].extend(at); };
    };
    for (const Stretch& s : stretches) {
      s.alive.visit(extend(s.first));
      for (const std::size_t n : s.next) stretches[n].alive.visit(extend(s.last));
      for (std::size_t i = s.first; i <= s.last; ++i) {
        for (const std::int32_t r : touched[i].read) extend(i)(r);
        for (const std::int32_t r : touched[i].written) extend(i)(r);
      }
    }
    if (!stretches.empty()) {
      stretches.front().alive.visit([this](std::int32_t r) { own_row_.insert(r); });
    }
    for (std::size_t r = 0; r < spans_.size(); ++r) {
      if (function.registers[r].type == ptx::Type::pred) own_row_.insert(static_cast<int>(r));
    }
  }

  [[nodiscard]] bool needs_own_row(std::int32_t r) const { return own_row_.contains(r); }
  [[nodiscard]] const Span& span(std::int32_t r) const {
    return spans_[static_cast<std::size_t>(r)];
  }

 private:
  Set own_row_;
  std::vector<Span> spans_;
};

}  // namespace

std::vector<std::int32_t> shared_rows(const ptx::Function& function) {
  const Lives lives(function);
  std::vector<std::int32_t> rows(function.registers.size());
  std::vector<std::int32_t> by_start;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    rows[i] = static_cast<std::int32_t>(i);
    if (!lives.needs_own_row(rows[i])) by_start.push_back(rows[i]);
  }
  std::stable_sort(by_start.begin(), by_start.end(), [&](std::int32_t a, std::int32_t b) {
    return lives.span(a).first < lives.span(b).first;
  });
  const auto size_of = [&](std::int32_t r) {
    return std::max(2u, ptx::bytes(function.registers[static_cast<std::size_t>(r)].type));
  };
  using Held = std::pair<std::size_t, std::int32_t>;  // last instruction, register
  std::priority_queue<Held, std::vector<Held>, std::greater<>> held;
  std::map<std::uint32_t, std::vector<std::int32_t>> free;  // rows, by size
  for (const std::int32_t r : by_start) {
    while (!held.empty() && held.top().first < lives.span(r).first) {
      const std::int32_t row = rows[static_cast<std::size_t>(held.top().second)];
      free[size_of(row)].push_back(row);
      held.pop();
    }
    std::vector<std::int32_t>& fitting = free[size_of(r)];
    if (!fitting.empty()) {
      rows[static_cast<std::size_t>(r)] = fitting.back();
      fitting.pop_back();
    }
    held.emplace(lives.span(r).last, r);
  }
  return rows;
}

}  // namespace vgpu
