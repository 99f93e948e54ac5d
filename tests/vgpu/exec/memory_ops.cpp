// ld, st, ldu and fences.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/compiler.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

// Moves one element between a lane's memory and its register.
using Transfer = void (*)(Warp&, const Lanes&, std::uint32_t offset, std::uint32_t row,
                          LaneMask mask);

struct MemoryDetail : AccessDetail {
  std::vector<std::uint32_t> rows;
  std::uint32_t element_bytes = 0;
  std::uint32_t register_bytes = 0;
  Transfer transfer = nullptr;
  ParameterArea area;  // of parameters inside a frame
};

template <class Value, class Register>
void load_element(Warp& w, const Lanes& lanes, std::uint32_t offset, std::uint32_t to,
                  LaneMask mask) {
  const auto read = [&](std::uint32_t lane) {
    Value value;
    std::memcpy(&value, lanes.at[lane] + offset, sizeof value);
    return static_cast<Register>(value);
  };
  set_lanes(row<Register>(w, to), mask, read);
}

template <class Value, class Register>
void store_element(Warp& w, const Lanes& lanes, std::uint32_t offset, std::uint32_t from,
                   LaneMask mask) {
  const auto* source = row<Register>(w, from);
  for_lanes(mask, [&](std::uint32_t lane) {
    const auto value = static_cast<Value>(source[lane]);
    std::memcpy(lanes.at[lane] + offset, &value, sizeof value);
  });
}

struct Bytes16 {
  std::uint64_t low, high;
};

template <class Value>
Transfer load_of(std::uint32_t register_bytes) {
  constexpr bool kSigned = std::is_signed_v<Value>;
  switch (register_bytes) {
    case 2:
      return load_element<Value, std::conditional_t<kSigned, std::int16_t, std::uint16_t>>;
    case 4:
      return load_element<Value, std::conditional_t<kSigned, std::int32_t, std::uint32_t>>;
    case 8:
      return load_element<Value, std::conditional_t<kSigned, std::int64_t, std::uint64_t>>;
    default:
      return nullptr;
  }
}

template <class Value>
Transfer store_of(std::uint32_t register_bytes) {
  switch (register_bytes) {
    case 2:
      return store_element<Value, std::uint16_t>;
    case 4:
      return store_element<Value, std::uint32_t>;
    case 8:
      return store_element<Value, std::uint64_t>;
    default:
      return nullptr;
  }
}

Transfer transfer_of(Type type, std::uint32_t register_bytes, bool store) {
  if (bytes(type) == 16) {
    if (register_bytes != 16) return nullptr;
    return store ? store_element<Bytes16, Bytes16> : load_element<Bytes16, Bytes16>;
  }
  if (store) {
    switch (bytes(type)) {
      case 1:
        return store_of<std::uint8_t>(register_bytes);
      case 2:
        return store_of<std::uint16_t>(register_bytes);
      case 4:
        return store_of<std::uint32_t>(register_bytes);
      default:
        return store_of<std::uint64_t>(register_bytes);
    }
  }
  switch (type) {
    case Type::s8:
      return load_of<std::int8_t>(register_bytes);
    case Type::s16:
      return load_of<std::int16_t>(register_bytes);
    case Type::s32:
      return load_of<std::int32_t>(register_bytes);
    default:
      break;
  }
  switch (bytes(type)) {
    case 1:
      return load_of<std::uint8_t>(register_bytes);
    case 2:
      return load_of<std::uint16_t>(register_bytes);
    case 4:
      return load_of<std::uint32_t>(register_bytes);
    default:
      return load_of<std::uint64_t>(register_bytes);
  }
}

void move_elements(Warp& w, const MemoryDetail& d, const Lanes& lanes, LaneMask mask) {
  std::uint32_t offset = 0;
  for (const std::uint32_t r : d.rows) {
    d.transfer(w, lanes, offset, r, mask);
    offset += d.element_bytes;
  }
}

bool same_value(Warp& w, const AccessDetail& access, std::uint32_t lane, std::uint32_t other) {
  const auto& d = static_cast<const MemoryDetail&>(access);
  return std::all_of(d.rows.begin(), d.rows.end(), [&](std::uint32_t r) {
    const std::byte* at = w.rows + r;
    return std::memcmp(at + std::size_t{lane} * d.register_bytes,
                       at + std::size_t{other} * d.register_bytes, d.element_bytes) == 0;
  });
}

bool holds_value(Warp& w, const AccessDetail& access, std::uint32_t lane, const std::byte* at) {
  const auto& d = static_cast<const MemoryDetail&>(access);
  for (std::size_t i = 0; i < d.rows.size(); ++i) {
    const std::byte* value = w.rows + d.rows[i] + std::size_t{lane} * d.register_bytes;
    if (std::memcmp(at + i * d.element_bytes, value, d.element_bytes) != 0) return false;
  }
  return true;
}

void run_memory(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MemoryDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  move_elements(w, d, lanes, mask);
  if (d.kind == AccessKind::store) ++w.worker->progress;
  if (d.ordering != Ordering::weak && w.worker->checks.race) race_strong_access_over(w);
}

// A kernel's parameter at a place that is known: the same for all lanes, and inside.
void run_parameter(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MemoryDetail&>(*ins.detail);
  Lanes lanes;
  std::byte* at = w.worker->launch->parameters.data() + ins.immediate;
  for (std::byte*& lane : lanes.at) lane = at;
  move_elements(w, d, lanes, mask);
}

// A parameter of a call, which lies in the frame.
void run_area(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MemoryDetail&>(*ins.detail);
  Lanes lanes;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    lanes.at[lane] = w.rows + d.area.offset + std::size_t{lane} * d.area.bytes + ins.immediate;
  }
  move_elements(w, d, lanes, mask);
}

void build_memory(Builder& b) {
  auto& d = b.detail<MemoryDetail>();
  const bool store = b.source().opcode == "st";
  d.kind = store ? AccessKind::store : AccessKind::load;
  b.take("unified");
  d.ordering = take_ordering(b, Ordering::weak);
  // ld.mmio.relaxed.sys
  b.take("relaxed");
  b.take("sys");
  const AddressSpace space = b.take("param::func") ? AddressSpace::param : take_space(b);
  take_cache_hints(b);
  const int vector = b.take_any({"v2", "v4", "v8"});
  const Type type = b.take_type();
  d.element_bytes = bytes(type);
  if (d.element_bytes == 0) b.unsupported("this type");
  const std::uint32_t count = vector < 0 ? 1 : 2u << vector;
  d.bytes = d.element_bytes * count;
  d.alignment = d.bytes;
  if (d.bytes > 32) b.unsupported("more than 32 bytes");
  if (b.operands() == 3 && b.has("L2::cache_hint")) {
    b.take("L2::cache_hint");
  } else {
    b.expect_operands(2);
  }
  const Operand& address = b.operand(store ? 0 : 1);
  const Operand& data = b.operand(store ? 1 : 0);
  const bool is_vector = data.kind == Operand::Kind::vector;
  if ((is_vector ? data.elements.size() : 1) != count) b.unsupported("another number of elements");
  std::uint32_t register_bytes = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    const Operand& element = is_vector ? data.elements[i] : data;
    if (element.kind == Operand::Kind::reg && !b.is_predicate(element)) {
      const std::uint32_t size = b.register_bytes(element, 0);
      if (size < d.element_bytes || (register_bytes != 0 && size != register_bytes)) {
        b.unsupported("registers of these sizes");
      }
      register_bytes = size;
    }
  }
  if (register_bytes == 0) register_bytes = std::max(2u, d.element_bytes);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Operand& element = is_vector ? data.elements[i] : data;
    if (element.kind == Operand::Kind::reg && !b.is_predicate(element)) {
      d.rows.push_back(b.layout.register_offset(element.index));
    } else if (!store && element.kind == Operand::Kind::sink) {
      d.rows.push_back(b.layout.scratch(register_bytes));
    } else if (store) {
      d.rows.push_back(b.value(element, type));
    } else {
      b.unsupported("a result that is no register");
    }
  }
  d.transfer = transfer_of(type, register_bytes, store);
  if (d.transfer == nullptr) b.unsupported("registers of this size");
  if (space == AddressSpace::param) {
    if (const ParameterArea* area = b.area_of(address)) {
      const std::uint64_t end = address.value + d.bytes;
      if (address.value > area->bytes || end > area->bytes)
        b.unsupported("outside of its parameter");
      d.area = *area;
      b.out.immediate = static_cast<std::int64_t>(address.value);
      b.out.handler = run_area;
      return;
    }
    if (store) b.unsupported("to the kernel's parameters");
    const Operand& base = address.elements.at(0);
    if (base.kind == Operand::Kind::variable) {
      const std::uint64_t at = b.address_of(base) + address.value;
      if (at % d.alignment == 0 && at + d.bytes <= b.compiler.parameter_bytes()) {
        b.out.immediate = static_cast<std::int64_t>(at);
        b.out.handler = run_parameter;
        return;
      }
    }
  }
  d.register_bytes = register_bytes;
  if (store) {
    d.same_value = same_value;
    d.holds_value = holds_value;
  }
  d.resolve = resolver(space);
  b.compiler.note_access(d.element_bytes);
  const Builder::Address a = b.address(address);
  d.address_bytes = a.bytes;
  b.out.a = a.row;
  b.out.immediate = a.offset;
  b.out.handler = run_memory;
}

void run_fence(Warp& w, const Instruction&, LaneMask) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (w.worker->checks.race) race_fence(w);
}

// Between proxies alone: it orders no threads.
void run_proxy_fence(Warp& w, const Instruction&, LaneMask) {
  if (w.worker->checks.race) race_proxy_fence(w);
}

// A block runs on one host thread, and host threads see each other's stores in order, so a fence
// of any meaning, space and scope is at most run_fence.
void build_fence(Builder& b) {
  b.out.handler = b.take("proxy") ? run_proxy_fence : run_fence;
  if (b.out.handler == run_proxy_fence && b.take_any({"async", "async::generic"}) < 0) {
    b.unsupported("this proxy");
  }
  b.take("mbarrier_init");
  b.take_any({"sc", "acq_rel", "acquire", "release"});
  b.take_any({"sync_restrict::shared::cta", "sync_restrict::shared::cluster"});
  b.take_any({"global", "shared::cta", "shared::cluster"});
  b.take_any({"cta", "cluster", "gpu", "gl", "sys"});
  b.expect_operands(0);
}

}  // namespace

void add_memory(OpcodeTable& table) {
  constexpr auto kKind = InstructionClass::load_store;
  table.add("ld", kKind, build_memory);
  table.add("ldu", kKind, build_memory);
  table.add("st", kKind, build_memory);
  table.add("membar", InstructionClass::barrier, build_fence);
  table.add("fence", InstructionClass::barrier, build_fence);
}

}  // namespace vgpu
