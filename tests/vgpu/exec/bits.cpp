// Bitwise instructions: logic, shifts, fields, counts and byte permutation.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <tuple>
#include <type_traits>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

template <class T>
constexpr std::uint32_t kBits = 8 * sizeof(T);

// ---- logic, also on predicates ----

struct And {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a & b);
  }
};
struct Or {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a | b);
  }
};
struct Xor {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a ^ b);
  }
};
struct Not {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
struct LogicalNot {
  template <class T>
  T operator()(T a) const {
    return a == 0 ? T{1} : T{0};
  }
};

struct PredicateDetail : Detail {
  LaneMask flip_a = 0, flip_b = 0;
};

template <class Operation>
void run_predicate_binary(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const PredicateDetail&>(*ins.detail);
  const LaneMask value =
      Operation{}(predicate(w, ins.a) ^ d.flip_a, predicate(w, ins.b) ^ d.flip_b);
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, value, mask);
}

void run_predicate_not(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const PredicateDetail&>(*ins.detail);
  LaneMask& to = predicate(w, ins.to);
  to = blend(to, ~(predicate(w, ins.a) ^ d.flip_a), mask);
}

// One handler a width: the sign plays no part.
template <template <class> class Pick, class Operation>
Handler by_width(Type type) {
  switch (is_float(type) ? 0 : bytes(type)) {
    case 2:
      return Pick<Operation>::template of<std::uint16_t>();
    case 4:
      return Pick<Operation>::template of<std::uint32_t>();
    case 8:
      return Pick<Operation>::template of<std::uint64_t>();
    default:
      return nullptr;
  }
}

template <class Operation>
void build_logic(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(3);
  if (type == Type::pred) {
    auto& d = b.detail<PredicateDetail>();
    b.out.to = b.predicate_result(b.operand(0));
    std::tie(b.out.a, d.flip_a) = b.predicate_value(b.operand(1));
    std::tie(b.out.b, d.flip_b) = b.predicate_value(b.operand(2));
    b.out.handler = run_predicate_binary<Operation>;
    return;
  }
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.handler = by_width<Binary, Operation>(type);
}

template <class Operation>
void build_not(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(2);
  if (type == Type::pred) {
    auto& d = b.detail<PredicateDetail>();
    b.out.to = b.predicate_result(b.operand(0));
    std::tie(b.out.a, d.flip_a) = b.predicate_value(b.operand(1));
    b.out.handler = run_predicate_not;
    return;
  }
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.handler = by_width<Unary, Operation>(type);
}

// The table's bit at index 4a + 2b + c, bit by bit.
void run_lop3(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* a = row<std::uint32_t>(w, ins.a);
  const auto* b = row<std::uint32_t>(w, ins.b);
  const auto* c = row<std::uint32_t>(w, ins.c);
  const std::uint32_t table = ins.variant;
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [=](std::uint32_t lane) {
    std::uint32_t result = 0;
    for (std::uint32_t i = 0; i < 8; ++i) {
      const std::uint32_t term = ((i & 4) != 0 ? a[lane] : ~a[lane]) &
                                 ((i & 2) != 0 ? b[lane] : ~b[lane]) &
                                 ((i & 1) != 0 ? c[lane] : ~c[lane]);
      result |= ((table >> i) & 1) != 0 ? term : 0;
    }
    return result;
  });
}

void build_lop3(Builder& b) {
  const Type type = b.take_type();
  if (bytes(type) != 4) b.unsupported("this type");
  b.expect_operands(5);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = b.value(3, type);
  b.out.variant = static_cast<std::uint32_t>(b.integer(b.operand(4)) & 0xff);
  b.out.handler = run_lop3;
}

// ---- shifts: by a 32-bit count; a count of the width or more shifts everything out ----

template <class T>
void run_shift_left(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const auto* n = row<std::uint32_t>(w, ins.b);
  set_lanes(row<T>(w, ins.to), mask, [=](std::uint32_t lane) {
    const std::uint32_t count = n[lane] < kBits<T> ? n[lane] : kBits<T> - 1;
    const T shifted = static_cast<T>(a[lane] << count);
    return n[lane] < kBits<T> ? shifted : T{0};
  });
}

template <class T>
void run_shift_right(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const auto* n = row<std::uint32_t>(w, ins.b);
  set_lanes(row<T>(w, ins.to), mask, [=](std::uint32_t lane) {
    const std::uint32_t count = n[lane] < kBits<T> ? n[lane] : kBits<T> - 1;
    const T shifted = static_cast<T>(a[lane] >> count);
    return n[lane] < kBits<T> || std::is_signed_v<T> ? shifted : T{0};
  });
}

struct ShiftLeft {
  template <class T>
  static Handler of() {
    return run_shift_left<T>;
  }
};
struct ShiftRight {
  template <class T>
  static Handler of() {
    return run_shift_right<T>;
  }
};

template <class Pick>
void build_shift(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, Type::u32);
  b.out.handler = for_integer<Pick>(type);
}

// The 64 bits {b, a} shifted; the upper (left) or lower (right) half of the result.
template <bool kLeft, bool kClamp>
void run_funnel(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* a = row<std::uint32_t>(w, ins.a);
  const auto* b = row<std::uint32_t>(w, ins.b);
  const auto* c = row<std::uint32_t>(w, ins.c);
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [=](std::uint32_t lane) {
    const std::uint32_t count = kClamp ? (c[lane] < 32 ? c[lane] : 32) : c[lane] & 31;
    const std::uint64_t both = (std::uint64_t{b[lane]} << 32) | a[lane];
    return static_cast<std::uint32_t>(kLeft ? (both << count) >> 32 : both >> count);
  });
}

void build_funnel(Builder& b) {
  const bool left = b.take_any({"l", "r"}) == 0;
  const bool clamp = b.take_any({"clamp", "wrap"}) == 0;
  const Type type = b.take_type();
  b.expect_operands(4);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = b.value(3, Type::u32);
  b.out.handler = left ? (clamp ? run_funnel<true, true> : run_funnel<true, false>)
                       : (clamp ? run_funnel<false, true> : run_funnel<false, false>);
}

// ---- counting ----

struct PopulationCount {
  template <class T>
  std::uint32_t operator()(T a) const {
    return static_cast<std::uint32_t>(std::popcount(a));
  }
};
struct LeadingZeros {
  template <class T>
  std::uint32_t operator()(T a) const {
    return static_cast<std::uint32_t>(std::countl_zero(a));
  }
};
struct Reverse {
  template <class T>
  T operator()(T a) const {
    T result = 0;
    for (std::uint32_t i = 0; i < kBits<T>; ++i) result |= ((a >> i) & 1) << (kBits<T> - 1 - i);
    return result;
  }
};
// Position of the highest bit that differs from the sign; all ones when there is none.
template <bool kShiftAmount>
struct FindLeading {
  template <class T>
  std::uint32_t operator()(T a) const {
    using U = std::make_unsigned_t<T>;
    const U v = static_cast<U>(a < 0 ? ~a : a);
    if (v == 0) return ~std::uint32_t{0};
    const auto zeros = static_cast<std::uint32_t>(std::countl_zero(v));
    return kShiftAmount ? zeros : kBits<T> - 1 - zeros;
  }
};

template <class Operation>
void build_count(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, Type::u32);
  b.out.a = b.value(1, type);
  if (bytes(type) == 4) b.out.handler = run_unary<Operation, std::uint32_t, std::uint32_t>;
  if (bytes(type) == 8) b.out.handler = run_unary<Operation, std::uint64_t, std::uint32_t>;
}

void build_reverse(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  if (bytes(type) == 4) b.out.handler = run_unary<Reverse, std::uint32_t>;
  if (bytes(type) == 8) b.out.handler = run_unary<Reverse, std::uint64_t>;
}

template <bool kShiftAmount>
Handler find_leading(Type type) {
  switch (type) {
    case Type::u32:
    case Type::b32:
      return run_unary<FindLeading<kShiftAmount>, std::uint32_t, std::uint32_t>;
    case Type::s32:
      return run_unary<FindLeading<kShiftAmount>, std::int32_t, std::uint32_t>;
    case Type::u64:
    case Type::b64:
      return run_unary<FindLeading<kShiftAmount>, std::uint64_t, std::uint32_t>;
    case Type::s64:
      return run_unary<FindLeading<kShiftAmount>, std::int64_t, std::uint32_t>;
    default:
      return nullptr;
  }
}

void build_find_leading(Builder& b) {
  const bool shift_amount = b.take("shiftamt");
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, Type::u32);
  b.out.a = b.value(1, type);
  b.out.handler = shift_amount ? find_leading<true>(type) : find_leading<false>(type);
}

// ---- fields: only the low 8 bits of position and length count ----

template <class T>
void run_extract(Warp& w, const Instruction& ins, LaneMask mask) {
  using U = std::make_unsigned_t<T>;
  const T* a = row<T>(w, ins.a);
  const auto* b = row<std::uint32_t>(w, ins.b);
  const auto* c = row<std::uint32_t>(w, ins.c);
  T* to = row<T>(w, ins.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint32_t position = b[lane] & 0xff;
    const std::uint32_t length = c[lane] & 0xff;
    if (length == 0) {
      to[lane] = 0;
      return;
    }
    const U field =
        position < kBits<T> ? static_cast<U>(static_cast<U>(a[lane]) >> position) : U{0};
    const U ones = length < kBits<T> ? static_cast<U>((U{1} << length) - 1) : static_cast<U>(~U{0});
    // The sign is the field's top bit, or the register's where the field ends above it.
    const std::uint32_t top = std::min(position + length - 1, kBits<T> - 1);
    const bool negative = std::is_signed_v<T> && ((static_cast<U>(a[lane]) >> top) & 1) != 0;
    const std::uint32_t from = position < kBits<T> ? top - position + 1 : 0;
    const U sign = !negative ? U{0} : from >= kBits<T> ? U{0} : static_cast<U>(~U{0} << from);
    to[lane] = static_cast<T>((field & ones) | sign);
  });
}

struct Extract {
  template <class T>
  static Handler of() {
    return run_extract<T>;
  }
};

void build_extract(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(4);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, Type::u32);
  b.out.c = b.value(3, Type::u32);
  if (bytes(type) >= 4) b.out.handler = for_integer<Extract>(type);
}

template <class T>
void run_insert(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const auto* position = row<std::uint32_t>(w, ins.c);
  const auto* length = row<std::uint32_t>(w, ins.variant);
  T* to = row<T>(w, ins.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint32_t p = position[lane] & 0xff;
    const std::uint32_t n = length[lane] & 0xff;
    const T ones = n < kBits<T> ? static_cast<T>((T{1} << n) - 1) : static_cast<T>(~T{0});
    const T field = p < kBits<T> ? static_cast<T>(ones << p) : T{0};
    const T bits = p < kBits<T> ? static_cast<T>(a[lane] << p) : T{0};
    to[lane] = static_cast<T>((b[lane] & ~field) | (bits & field));
  });
}

void build_insert(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(5);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = b.value(3, Type::u32);
  b.out.variant = b.value(4, Type::u32);
  if (bytes(type) == 4) b.out.handler = run_insert<std::uint32_t>;
  if (bytes(type) == 8) b.out.handler = run_insert<std::uint64_t>;
}

// bmsk: ones from position a, b of them.
template <bool kClamp>
struct BitMask {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const {
    const std::uint32_t from = kClamp ? std::min(a, 32u) : a & 31;
    const std::uint32_t count = kClamp ? std::min(b, 32u) : b & 31;
    return static_cast<std::uint32_t>(((std::uint64_t{1} << count) - 1) << from);
  }
};

void build_mask(Builder& b) {
  const bool clamp = b.take_any({"clamp", "wrap"}) == 0;
  const Type type = b.take_type();
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.handler =
      clamp ? run_binary<BitMask<true>, std::uint32_t> : run_binary<BitMask<false>, std::uint32_t>;
}

// szext: the low b bits of a, extended.
template <bool kSigned, bool kClamp>
struct SizedExtend {
  std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const {
    const std::uint32_t n = kClamp ? std::min(b, 32u) : b & 31;
    if (n == 0) return 0;
    const std::uint32_t shift = 32 - n;
    return kSigned ? static_cast<std::uint32_t>(static_cast<std::int32_t>(a << shift) >> shift)
                   : (a << shift) >> shift;
  }
};

void build_sized_extend(Builder& b) {
  const bool clamp = b.take_any({"clamp", "wrap"}) == 0;
  const Type type = b.take_type();
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, Type::u32);
  if (type == Type::s32) {
    b.out.handler = clamp ? run_binary<SizedExtend<true, true>, std::uint32_t>
                          : run_binary<SizedExtend<true, false>, std::uint32_t>;
  } else if (type == Type::u32) {
    b.out.handler = clamp ? run_binary<SizedExtend<false, true>, std::uint32_t>
                          : run_binary<SizedExtend<false, false>, std::uint32_t>;
  }
}

// ---- prmt: each byte of the result is one of the eight bytes of {b, a} ----

enum class Permute : std::uint8_t { any, f4e, b4e, rc8, ecl, ecr, rc16 };

std::uint32_t selector(Permute mode, std::uint32_t control) {
  const std::uint32_t n = control & 3;
  std::uint32_t result = 0;
  for (std::uint32_t i = 0; i < 4; ++i) {
    std::uint32_t source = 0;
    switch (mode) {
      case Permute::any:
        return control;
      case Permute::f4e:
        source = n + i;
        break;
      case Permute::b4e:
        source = (n + 8 - i) & 7;
        break;
      case Permute::rc8:
        source = n;
        break;
      case Permute::ecl:
        source = std::max(n, i);
        break;
      case Permute::ecr:
        source = std::min(n, i);
        break;
      case Permute::rc16:
        source = (n & 1) * 2 + (i & 1);
        break;
    }
    result |= source << (4 * i);
  }
  return result;
}

void run_permute(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* a = row<std::uint32_t>(w, ins.a);
  const auto* b = row<std::uint32_t>(w, ins.b);
  const auto* c = row<std::uint32_t>(w, ins.c);
  const auto mode = static_cast<Permute>(ins.variant);
  auto* to = row<std::uint32_t>(w, ins.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint64_t both = (std::uint64_t{b[lane]} << 32) | a[lane];
    const std::uint32_t select = selector(mode, c[lane]);
    std::uint32_t result = 0;
    for (std::uint32_t i = 0; i < 4; ++i) {
      const std::uint32_t s = (select >> (4 * i)) & 0xf;
      auto byte = static_cast<std::uint32_t>((both >> (8 * (s & 7))) & 0xff);
      if ((s & 8) != 0) byte = (byte & 0x80) != 0 ? 0xff : 0;
      result |= byte << (8 * i);
    }
    to[lane] = result;
  });
}

void build_permute(Builder& b) {
  b.take_type();
  b.out.variant =
      static_cast<std::uint32_t>(b.take_any({"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"}) + 1);
  b.expect_operands(4);
  b.out.to = b.result(0, Type::b32);
  b.out.a = b.value(1, Type::b32);
  b.out.b = b.value(2, Type::b32);
  b.out.c = b.value(3, Type::b32);
  b.out.handler = run_permute;
}

}  // namespace

void add_bits(OpcodeTable& table) {
  constexpr auto kKind = InstructionClass::integer;
  table.add("and", kKind, build_logic<And>);
  table.add("or", kKind, build_logic<Or>);
  table.add("xor", kKind, build_logic<Xor>);
  table.add("not", kKind, build_not<Not>);
  table.add("cnot", kKind, build_not<LogicalNot>);
  table.add("lop3", kKind, build_lop3);
  table.add("shl", kKind, build_shift<ShiftLeft>);
  table.add("shr", kKind, build_shift<ShiftRight>);
  table.add("shf", kKind, build_funnel);
  table.add("popc", kKind, build_count<PopulationCount>);
  table.add("clz", kKind, build_count<LeadingZeros>);
  table.add("brev", kKind, build_reverse);
  table.add("bfind", kKind, build_find_leading);
  table.add("bfe", kKind, build_extract);
  table.add("bfi", kKind, build_insert);
  table.add("bmsk", kKind, build_mask);
  table.add("szext", kKind, build_sized_extend);
  table.add("prmt", kKind, build_permute);
}

}  // namespace vgpu
