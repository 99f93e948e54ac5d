// Branches, calls, returns and the ends of threads.
#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/builtins.h"
#include "tests/vgpu/exec/compiler.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/warp.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

// ---- branches ----

void jump(Warp& w, std::uint32_t target) {
  const bool back = target < w.pc;
  w.pc = target;
  if (back) count_back_branch(w);
  if (!w.fragments.empty()) retarget(w);
}

void run_branch(Warp& w, const Instruction& ins, LaneMask mask) {
  if (mask == w.active) {
    jump(w, ins.target);
    return;
  }
  ++w.worker->counters.divergent_branches;
  // Those that go on stay here and now; the others become a fragment of their own.
  split(w, mask, ins.target);
  w.active &= ~mask;
  if (ins.target < w.pc) count_back_branch(w);
  retarget(w);
}

void build_branch(Builder& b) {
  b.take("uni");
  b.expect_operands(1);
  if (b.operand(0).kind != Operand::Kind::label) b.unsupported("a target that is no label");
  b.out.target = static_cast<std::uint32_t>(b.operand(0).index);
  b.out.handler = run_branch;
}

struct TableDetail : Detail {
  std::vector<std::uint32_t> targets;
};

void run_indexed_branch(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& targets = static_cast<const TableDetail&>(*ins.detail).targets;
  const auto* index = row<std::uint32_t>(w, ins.a);
  const LaneMask stay = w.active & ~mask;
  LaneMask rest = mask;
  const std::uint32_t next = w.pc;
  bool first = true;
  while (rest != 0) {
    const std::uint32_t i = index[std::countr_zero(rest)];
    if (i >= targets.size()) {
      throw Fault{
          FaultKind::illegal_instruction,
          fmt::format("brx.idx {} of {} targets, {}", i, targets.size(),
                      describe_thread(w, static_cast<std::uint32_t>(std::countr_zero(rest))))};
    }
    LaneMask same = 0;
    for_lanes(rest, [&](std::uint32_t lane) {
      if (index[lane] == i) same |= LaneMask{1} << lane;
    });
    rest &= ~same;
    if (first) {
      w.active = same;
      w.pc = targets[i];
      first = false;
    } else {
      split(w, same, targets[i]);
      ++w.worker->counters.divergent_branches;
    }
  }
  if (stay != 0) split(w, stay, next);
  if (w.pc < next) count_back_branch(w);
  if (!w.fragments.empty()) retarget(w);
}

void build_indexed_branch(Builder& b) {
  if (!b.take("idx")) b.unsupported("not idx");
  b.take("uni");
  b.expect_operands(2);
  if (b.operand(1).kind != Operand::Kind::label) b.unsupported("a table that is not known");
  auto& d = b.detail<TableDetail>();
  for (const std::int32_t target :
       b.function.branch_tables[static_cast<std::size_t>(b.operand(1).index)]) {
    d.targets.push_back(static_cast<std::uint32_t>(target));
  }
  b.out.a = b.value(0, Type::u32);
  b.out.handler = run_indexed_branch;
}

// ---- calls ----

struct CallDetail : Detail {
  const Function* callee = nullptr;  // null for an indirect call
  const Builtin* builtin = nullptr;
  std::vector<ParameterArea> parameters;  // in the caller's frame
  std::vector<ParameterArea> returns;
};

void copy_areas(std::byte* to_rows, const std::vector<ParameterArea>& to,
                const std::byte* from_rows, const std::vector<ParameterArea>& from, LaneMask mask) {
  for (std::size_t i = 0; i < to.size() && i < from.size(); ++i) {
    const std::size_t size = std::min(to[i].bytes, from[i].bytes);
    for_lanes(mask, [&](std::uint32_t lane) {
      std::memcpy(to_rows + to[i].offset + std::size_t{lane} * to[i].bytes,
                  from_rows + from[i].offset + std::size_t{lane} * from[i].bytes, size);
    });
  }
}

// The lanes of `mask` enter the function; the running fragment becomes them.
void enter(Warp& w, const Function& callee, const CallDetail& d, LaneMask mask) {
  const std::uint32_t call_pc = w.current_pc();
  if (mask != w.active) {
    split(w, w.active & ~mask, w.pc);
    w.active = mask;
  }
  const std::byte* caller_rows = w.rows;
  enter_function(w, callee, call_pc);
  copy_areas(w.rows, callee.parameters, caller_rows, d.parameters, mask);
}

void run_call(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const CallDetail&>(*ins.detail);
  if (d.builtin != nullptr) {
    d.builtin->run(w, mask, d.parameters, d.returns);
    return;
  }
  enter(w, *d.callee, d, mask);
}

// Lanes that call the same function go together; the others stay at the call.
void run_indirect_call(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const CallDetail&>(*ins.detail);
  const auto* address = row<std::uint64_t>(w, ins.a);
  const auto first = static_cast<std::uint32_t>(std::countr_zero(mask));
  LaneMask same = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    if (address[lane] == address[first]) same |= LaneMask{1} << lane;
  });
  const std::uint64_t index = address[first] - kFunctionAddress;
  const auto& functions = w.kernel().functions;
  if (index >= functions.size() || !functions[index]->compiled) {
    throw Fault{FaultKind::illegal_instruction,
                fmt::format("call of {:#x}, which is no function, {}", address[first],
                            describe_thread(w, first))};
  }
  if (same != mask) {
    split(w, mask & ~same, w.current_pc());
    w.active &= ~(mask & ~same);
  }
  enter(w, *functions[index], d, same);
}

std::vector<ParameterArea> areas(Builder& b, const Operand& list) {
  std::vector<ParameterArea> result;
  if (list.kind != Operand::Kind::list) b.unsupported("a call of this form");
  for (const Operand& o : list.elements) {
    const ParameterArea* area = b.area_of(o);
    if (area == nullptr) b.unsupported("a call with a parameter that is no .param");
    result.push_back(*area);
  }
  return result;
}

void build_call(Builder& b) {
  b.take("uni");
  auto& d = b.detail<CallDetail>();
  std::size_t next = 0;
  if (b.operand(0).kind == Operand::Kind::list) d.returns = areas(b, b.operand(next++));
  const Operand& target = b.operand(next++);
  if (next < b.operands() && b.operand(next).kind == Operand::Kind::list) {
    d.parameters = areas(b, b.operand(next++));
  }
  if (target.kind == Operand::Kind::reg) {
    if (next < b.operands()) ++next;  // the prototype, or the list of targets
    b.expect_operands(next);
    b.out.a = b.value(target, Type::u64);
    b.out.handler = run_indirect_call;
    return;
  }
  b.expect_operands(next);
  if (target.kind != Operand::Kind::name) b.unsupported("a call of this form");
  d.builtin = find_builtin(target.name);
  if (d.builtin == nullptr) {
    const ptx::Function* callee = b.compiler.find_function(target.name);
    if (callee == nullptr || !callee->defined)
      b.unsupported(fmt::format("{} is not provided", target.name));
    if (callee->parameters.size() != d.parameters.size() ||
        callee->returns.size() != d.returns.size()) {
      b.unsupported("a call with other parameters than the function's");
    }
    d.callee = b.compiler.callee(target.name);
  }
  b.out.handler = run_call;
}

// ---- ends ----

void run_exit(Warp& w, const Instruction&, LaneMask mask) { exit_lanes(w, mask); }

void run_return(Warp& w, const Instruction& ins, LaneMask mask) {
  Frame* frame = w.frame;
  if (frame->caller == nullptr) {
    run_exit(w, ins, mask);
    return;
  }
  Frame* caller = frame->caller;
  const Instruction& call = caller->function->code[frame->call_pc];
  const auto& d = static_cast<const CallDetail&>(*call.detail);
  copy_areas(caller->rows.data(), d.returns, frame->rows.data(), frame->function->returns, mask);
  if (mask != w.active) {
    const LaneMask stay = w.active & ~mask;
    split(w, stay, w.pc);
    w.active = mask;
  }
  w.frame = caller;
  w.rows = caller->rows.data();
  w.code = caller->function->code.data();
  w.pc = frame->call_pc + 1;
  // The running fragment's reference goes from the callee to the caller.
  ++caller->fragments;
  if (--frame->fragments == 0) {
    --caller->fragments;
    leave_frame(w, frame);
  }
  if (!w.fragments.empty()) reschedule(w);
}

void run_trap(Warp& w, const Instruction&, LaneMask mask) {
  const std::string message =
      describe_thread(w, static_cast<std::uint32_t>(std::countr_zero(mask)));
  report(w, ReportKind::trap, message);
  throw Fault{FaultKind::trap, "trap: " + message};
}

void run_nothing(Warp&, const Instruction&, LaneMask) {}

void run_sleep(Warp& w, const Instruction&, LaneMask) {
  w.yielding = true;
  w.back_branches = 1;  // other fragments first
  count_back_branch(w);
  reschedule(w);
}

template <Handler kHandler>
void build_plain(Builder& b) {
  b.take("uni");
  b.expect_operands(0);
  b.out.handler = kHandler;
}

void build_sleep(Builder& b) {
  b.take("u32");
  b.expect_operands(1);
  b.out.handler = run_sleep;
}

// Hints to the hardware, without an effect on values.
void build_hint(Builder& b) {
  while (!b.take_next().empty()) {
  }
  b.out.handler = run_nothing;
}

}  // namespace

void add_control(OpcodeTable& table) {
  constexpr auto kKind = InstructionClass::control;
  table.add("bra", kKind, build_branch);
  table.add("brx", kKind, build_indexed_branch);
  table.add("call", kKind, build_call);
  table.add("ret", kKind, build_plain<run_return>);
  table.add("exit", kKind, build_plain<run_exit>);
  table.add("trap", kKind, build_plain<run_trap>);
  table.add("brkpt", kKind, build_plain<run_nothing>);
  table.add("nop", kKind, build_plain<run_nothing>);
  table.add("nanosleep", kKind, build_sleep);
  table.add("pmevent", kKind, build_hint);
  table.add("prefetch", InstructionClass::load_store, build_hint);
  table.add("prefetchu", InstructionClass::load_store, build_hint);
  table.add("discard", InstructionClass::load_store, build_hint);
  table.add("applypriority", InstructionClass::load_store, build_hint);
  table.add("griddepcontrol", kKind, build_hint);
}

}  // namespace vgpu
