// mov in all its forms, cvta, isspacep and the reading of clocks.
#include <cstdint>
#include <tuple>
#include <vector>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

template <class T>
void run_move(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  set_lanes(row<T>(w, ins.to), mask, [=](std::uint32_t lane) { return a[lane]; });
}

struct Bytes16 {
  std::uint64_t low, high;
};

Handler move_of(std::uint32_t size) {
  switch (size) {
    case 2:
      return run_move<std::uint16_t>;
    case 4:
      return run_move<std::uint32_t>;
    case 8:
      return run_move<std::uint64_t>;
    case 16:
      return run_move<Bytes16>;
    default:
      return nullptr;
  }
}

void run_move_predicate(Warp& w, const Instruction& ins, LaneMask mask) {
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, predicate(w, ins.a) ^ ins.variant, mask);
}

// ---- a register as a vector of smaller ones ----

struct PartsDetail : Detail {
  std::vector<std::uint32_t> rows;
};

// Part i of a lane is the i-th of its Parts in the whole.
template <class Part, bool kPack>
void run_parts(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const PartsDetail&>(*ins.detail);
  const std::size_t count = d.rows.size();
  Part* whole = row<Part>(w, kPack ? ins.to : ins.a);
  for (std::size_t i = 0; i < count; ++i, ++whole) {
    Part* const part = row<Part>(w, d.rows[i]);
    for_lanes(mask, [&](std::uint32_t lane) {
      if (kPack) {
        whole[lane * count] = part[lane];
      } else {
        part[lane] = whole[lane * count];
      }
    });
  }
}

template <bool kPack>
Handler parts_of(std::uint32_t bytes) {
  switch (bytes) {
    case 2:
      return run_parts<std::uint16_t, kPack>;
    case 4:
      return run_parts<std::uint32_t, kPack>;
    default:
      return run_parts<std::uint64_t, kPack>;
  }
}

Type bits_type(std::uint32_t size) {
  switch (size) {
    case 2:
      return Type::b16;
    case 4:
      return Type::b32;
    case 8:
      return Type::b64;
    default:
      return Type::none;
  }
}

void build_parts(Builder& b, Type type, const Operand& vector, bool pack) {
  auto& d = b.detail<PartsDetail>();
  if (vector.elements.empty()) b.unsupported("an empty vector");
  const std::uint32_t part_bytes = bytes(type) / static_cast<std::uint32_t>(vector.elements.size());
  const Type part = bits_type(part_bytes);
  if (part == Type::none || part_bytes * vector.elements.size() != bytes(type)) {
    b.unsupported("parts of this size");
  }
  for (const Operand& element : vector.elements) {
    d.rows.push_back(pack ? b.value(element, part) : b.result(element, part));
  }
  if (pack) {
    b.out.to = b.result(0, type);
    b.out.handler = parts_of<true>(part_bytes);
  } else {
    b.out.a = b.value(1, type);
    b.out.handler = parts_of<false>(part_bytes);
  }
}

// ---- clocks: they count, but time is not modelled ----

void run_clock(Warp& w, const Instruction& ins, LaneMask mask) {
  const std::uint64_t now = ++w.worker->clock;
  if (ins.variant == 8) {
    set_lanes(row<std::uint64_t>(w, ins.to), mask, [=](std::uint32_t) { return now; });
  } else {
    set_lanes(row<std::uint32_t>(w, ins.to), mask,
              [=](std::uint32_t) { return static_cast<std::uint32_t>(now); });
  }
}

bool is_clock(const Operand& o) {
  return o.kind == Operand::Kind::name &&
         (o.name == "%clock" || o.name == "%clock64" || o.name == "%clock_hi" ||
          o.name == "%globaltimer" || o.name == "%globaltimer_lo" || o.name == "%globaltimer_hi");
}

void build_move(Builder& b) {
  b.take("volatile");
  const Type type = b.take_type();
  b.expect_operands(2);
  if (type == Type::pred) {
    b.out.to = b.predicate_result(b.operand(0));
    std::tie(b.out.a, b.out.variant) = b.predicate_value(b.operand(1));
    b.out.handler = run_move_predicate;
    return;
  }
  if (is_clock(b.operand(1))) {
    b.out.to = b.result(0, type);
    b.out.variant = bytes(type);
    b.out.handler = run_clock;
    return;
  }
  if (b.operand(1).kind == Operand::Kind::vector) return build_parts(b, type, b.operand(1), true);
  if (b.operand(0).kind == Operand::Kind::vector) return build_parts(b, type, b.operand(0), false);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.handler = move_of(bytes(type));
}

// ---- cvta: between a state space and the generic addresses ----

struct AddressDetail : Detail {
  AddressSpace space = AddressSpace::generic;
  bool from_generic = false;
};

std::uint64_t window_of(const Warp& w, AddressSpace space) {
  const Memory& memory = *w.worker->launch->memory;
  switch (space) {
    case AddressSpace::shared:
    case AddressSpace::shared_cluster:
      return memory.shared_window();
    case AddressSpace::local:
      return memory.local_window();
    case AddressSpace::param:
      return memory.parameter_window();
    default:
      return 0;
  }
}

void run_convert_address(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const AddressDetail&>(*ins.detail);
  const std::uint64_t window = window_of(w, d.space);
  const std::uint64_t shift = d.from_generic ? 0 - window : window;
  if (ins.variant == 4) {
    const auto* a = row<std::uint32_t>(w, ins.a);
    set_lanes(row<std::uint64_t>(w, ins.to), mask,
              [=](std::uint32_t lane) { return a[lane] + shift; });
    return;
  }
  const auto* a = row<std::uint64_t>(w, ins.a);
  set_lanes(row<std::uint64_t>(w, ins.to), mask,
            [=](std::uint32_t lane) { return a[lane] + shift; });
}

void build_convert_address(Builder& b) {
  auto& d = b.detail<AddressDetail>();
  d.from_generic = b.take("to");
  d.space = take_space(b);
  const Type type = b.take_type();
  if (bytes(type) != 8) b.unsupported("32-bit addresses");
  b.expect_operands(2);
  b.out.to = b.result(0, type);
  b.out.variant = b.register_bytes(b.operand(1), 8);
  b.out.a = b.value(1, b.out.variant == 4 ? Type::u32 : type);
  b.out.handler = run_convert_address;
}

void run_is_space(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const AddressDetail&>(*ins.detail);
  const Memory& memory = *w.worker->launch->memory;
  const auto* a = row<std::uint64_t>(w, ins.a);
  const std::uint64_t windows = memory.base();
  const LaneMask value = lanes_where([=](std::uint32_t lane) {
    const std::uint64_t offset = a[lane] - windows;
    const std::uint64_t window = offset / Memory::kWindowBytes;
    switch (d.space) {
      case AddressSpace::shared:
        return window == 0 && (offset >> kClusterRankShift) == 0;
      case AddressSpace::shared_cluster:
        return window == 0;
      case AddressSpace::local:
        return window == 1;
      case AddressSpace::param:
        return window == 2;
      default:
        return window > 2;
    }
  });
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, value, mask);
}

void build_is_space(Builder& b) {
  auto& d = b.detail<AddressDetail>();
  if (b.has("const")) b.unsupported("the constant space");
  d.space = take_space(b);
  b.expect_operands(2);
  b.out.to = b.predicate_result(b.operand(0));
  b.out.a = b.value(1, Type::b64);
  b.out.handler = run_is_space;
}

}  // namespace

void add_moves(OpcodeTable& table) {
  table.add("mov", InstructionClass::move, build_move);
  table.add("cvta", InstructionClass::move, build_convert_address);
  table.add("isspacep", InstructionClass::move, build_is_space);
}

}  // namespace vgpu
