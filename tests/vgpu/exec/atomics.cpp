// atom and red: lanes one after the other, each as one atomic step on the host.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/compiler.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

using ptx::Operand;
using ptx::Type;

// The new value from the old one and the operands, all as bits.
using Update = std::uint64_t (*)(std::uint64_t old, std::uint64_t b, std::uint64_t c);

template <class T>
T as(std::uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
std::uint64_t bits_of(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

template <class T>
std::uint64_t add(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  return bits_of<T>(static_cast<T>(as<T>(old) + as<T>(b)));
}
// In global memory, where denormals are zeros of their sign.
std::uint64_t add_flushed(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  const auto flushed = [](float v) { return std::fpclassify(v) == FP_SUBNORMAL ? v * 0.0f : v; };
  return bits_of<float>(flushed(flushed(as<float>(old)) + flushed(as<float>(b))));
}
template <class Half, int kParts>
std::uint64_t add_half(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  std::uint64_t result = 0;
  for (int i = 0; i < kParts; ++i) {
    const Half x{static_cast<std::uint16_t>(old >> (16 * i))};
    const Half y{static_cast<std::uint16_t>(b >> (16 * i))};
    result |= std::uint64_t{from_double<Half>(to_double(x) + to_double(y)).bits} << (16 * i);
  }
  return result;
}
template <class T>
std::uint64_t minimum(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  return bits_of<T>(std::min(as<T>(old), as<T>(b)));
}
template <class T>
std::uint64_t maximum(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  return bits_of<T>(std::max(as<T>(old), as<T>(b)));
}
template <class T>
std::uint64_t increment(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  return as<T>(old) >= as<T>(b) ? 0 : bits_of<T>(static_cast<T>(as<T>(old) + 1));
}
template <class T>
std::uint64_t decrement(std::uint64_t old, std::uint64_t b, std::uint64_t) {
  return as<T>(old) == 0 || as<T>(old) > as<T>(b) ? b : bits_of<T>(static_cast<T>(as<T>(old) - 1));
}
std::uint64_t bit_and(std::uint64_t old, std::uint64_t b, std::uint64_t) { return old & b; }
std::uint64_t bit_or(std::uint64_t old, std::uint64_t b, std::uint64_t) { return old | b; }
std::uint64_t bit_xor(std::uint64_t old, std::uint64_t b, std::uint64_t) { return old ^ b; }
std::uint64_t exchange(std::uint64_t, std::uint64_t b, std::uint64_t) { return b; }
std::uint64_t compare_and_swap(std::uint64_t old, std::uint64_t b, std::uint64_t c) {
  return old == b ? c : old;
}

Update update_of(std::string_view operation, Type type) {
  if (operation == "exch") return exchange;
  if (operation == "cas") return compare_and_swap;
  if (operation == "and") return bit_and;
  if (operation == "or") return bit_or;
  if (operation == "xor") return bit_xor;
  if (operation == "inc" && type == Type::u32) return increment<std::uint32_t>;
  if (operation == "dec" && type == Type::u32) return decrement<std::uint32_t>;
  if (operation == "add") {
    switch (type) {
      case Type::u32:
      case Type::s32:
        return add<std::uint32_t>;
      case Type::u64:
      case Type::s64:
        return add<std::uint64_t>;
      case Type::f32:
        return add<float>;
      case Type::f64:
        return add<double>;
      case Type::f16:
        return add_half<F16, 1>;
      case Type::f16x2:
        return add_half<F16, 2>;
      case Type::bf16:
        return add_half<BF16, 1>;
      case Type::bf16x2:
        return add_half<BF16, 2>;
      default:
        return nullptr;
    }
  }
  const bool low = operation == "min";
  if (!low && operation != "max") return nullptr;
  switch (type) {
    case Type::u32:
      return low ? minimum<std::uint32_t> : maximum<std::uint32_t>;
    case Type::s32:
      return low ? minimum<std::int32_t> : maximum<std::int32_t>;
    case Type::u64:
      return low ? minimum<std::uint64_t> : maximum<std::uint64_t>;
    case Type::s64:
      return low ? minimum<std::int64_t> : maximum<std::int64_t>;
    default:
      return nullptr;
  }
}

struct AtomicDetail : AccessDetail {
  Update update = nullptr;
  Update update_global = nullptr;  // in global memory
  std::uint32_t element_bytes = 0;
  std::vector<std::uint32_t> to, b;  // rows, an element each; `to` is empty for red
  std::uint32_t c = 0;
};

template <class Word>
std::uint64_t apply(std::byte* at, Update update, std::uint64_t b, std::uint64_t c) {
  auto* word = reinterpret_cast<Word*>(at);
  Word old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
  while (!__atomic_compare_exchange_n(word, &old, static_cast<Word>(update(old, b, c)), false,
                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
  }
  return old;
}

template <class Word>
void run_atomic(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const AtomicDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  const Word* c = row<Word>(w, d.c);
  for_lanes(mask, [&](std::uint32_t lane) {
    for (std::size_t i = 0; i < d.b.size(); ++i) {
      std::byte* at = lanes.at[lane] + i * sizeof(Word);
      const bool own = d.update == d.update_global || owner_of(w, at) != nullptr;
      const std::uint64_t old =
          apply<Word>(at, own ? d.update : d.update_global, row<Word>(w, d.b[i])[lane], c[lane]);
      if (!d.to.empty()) row<Word>(w, d.to[i])[lane] = static_cast<Word>(old);
    }
  });
  if (w.worker->checks.race) race_strong_access_over(w);
}

void build_atomic(Builder& b) {
  auto& d = b.detail<AtomicDetail>();
  const bool returns = b.source().opcode == "atom";
  d.kind = AccessKind::atomic;
  d.ordering = take_ordering(b, Ordering::relaxed);
  const AddressSpace space = take_space(b);
  b.take("noftz");
  take_cache_hints(b);
  const int vector = b.take_any({"v2", "v4", "v8"});
  const std::string_view operation = b.take_next();
  const Type type = b.take_type();
  d.update = update_of(operation, type);
  if (d.update == nullptr) b.unsupported("this operation");
  d.update_global = operation == "add" && type == Type::f32 ? add_flushed : d.update;
  const std::size_t count = vector < 0 ? 1 : std::size_t{2} << vector;
  d.element_bytes = bytes(type);
  d.bytes = d.element_bytes * static_cast<std::uint32_t>(count);
  d.alignment = d.bytes;
  if (d.bytes > 16 || d.element_bytes > 8) b.unsupported("more than 16 bytes");
  const bool swap = operation == "cas";
  std::size_t next = 0;
  const auto each = [&](const Operand& o, auto visit) {
    if (count == 1) return visit(o);
    if (o.elements.size() != count) b.unsupported("another number of elements");
    for (const Operand& element : o.elements) visit(element);
  };
  if (returns) {
    each(b.operand(next++), [&](const Operand& o) { d.to.push_back(b.result(o, type)); });
  }
  const Builder::Address a = b.address(b.operand(next++));
  each(b.operand(next++), [&](const Operand& o) { d.b.push_back(b.value(o, type)); });
  d.c = swap ? b.value(next++, type) : d.b.front();
  b.expect_operands(next);
  d.resolve = resolver(space);
  b.compiler.note_access(d.element_bytes);
  d.address_bytes = a.bytes;
  b.out.a = a.row;
  b.out.immediate = a.offset;
  switch (d.element_bytes) {
    case 2:
      b.out.handler = run_atomic<std::uint16_t>;
      break;
    case 4:
      b.out.handler = run_atomic<std::uint32_t>;
      break;
    case 8:
      b.out.handler = run_atomic<std::uint64_t>;
      break;
    default:
      break;
  }
}

}  // namespace

void add_atomics(OpcodeTable& table) {
  table.add("atom", InstructionClass::atomic, build_atomic);
  table.add("red", InstructionClass::atomic, build_atomic);
}

}  // namespace vgpu
