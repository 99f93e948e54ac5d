// Integer arithmetic. Overflow wraps: this file is compiled with -fwrapv.
#include <algorithm>
#include <limits>
#include <type_traits>

#include "tests/vgpu/exec/arithmetic.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

template <class T>
struct TwiceAsWide;
template <>
struct TwiceAsWide<std::uint16_t> {
  using type = std::uint32_t;
};
template <>
struct TwiceAsWide<std::int16_t> {
  using type = std::int32_t;
};
template <>
struct TwiceAsWide<std::uint32_t> {
  using type = std::uint64_t;
};
template <>
struct TwiceAsWide<std::int32_t> {
  using type = std::int64_t;
};
template <>
struct TwiceAsWide<std::uint64_t> {
  __extension__ using type = unsigned __int128;
};
template <>
struct TwiceAsWide<std::int64_t> {
  __extension__ using type = __int128;
};
template <class T>
using Wide = typename TwiceAsWide<T>::type;

struct Add {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a + b);
  }
};
struct Subtract {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(a - b);
  }
};
// Through the unsigned type that C++ does not promote to a signed one.
struct MultiplyLow {
  template <class T>
  T operator()(T a, T b) const {
    using U = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
    return static_cast<T>(static_cast<U>(a) * static_cast<U>(b));
  }
};
struct MultiplyHigh {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>((static_cast<Wide<T>>(a) * static_cast<Wide<T>>(b)) >> (8 * sizeof(T)));
  }
};
struct MultiplyAddLow {
  template <class T>
  T operator()(T a, T b, T c) const {
    return static_cast<T>(MultiplyLow{}(a, b) + c);
  }
};
struct MultiplyAddHigh {
  template <class T>
  T operator()(T a, T b, T c) const {
    return static_cast<T>(MultiplyHigh{}(a, b) + c);
  }
};
struct Minimum {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct Maximum {
  template <class T>
  T operator()(T a, T b) const {
    return a < b ? b : a;
  }
};
struct MinimumRelu {
  template <class T>
  T operator()(T a, T b) const {
    return std::max<T>(std::min(a, b), 0);
  }
};
struct MaximumRelu {
  template <class T>
  T operator()(T a, T b) const {
    return std::max<T>(std::max(a, b), 0);
  }
};
struct Negate {
  template <class T>
  T operator()(T a) const {
    return static_cast<T>(0 - a);
  }
};
struct Absolute {
  template <class T>
  T operator()(T a) const {
    return a < 0 ? static_cast<T>(0 - a) : a;
  }
};
// PTX leaves division by zero open; all ones is what current devices give.
struct Divide {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return static_cast<T>(-1);
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return static_cast<T>(0 - a);
    }
    return static_cast<T>(a / b);
  }
};
struct Remainder {
  template <class T>
  T operator()(T a, T b) const {
    if (b == 0) return a;
    if constexpr (std::is_signed_v<T>) {
      if (b == -1) return 0;
    }
    return static_cast<T>(a % b);
  }
};
struct SumOfDifferences {
  template <class T>
  T operator()(T a, T b, T c) const {
    return static_cast<T>(c + (a < b ? b - a : a - b));
  }
};
struct AddSaturated {
  std::int32_t operator()(std::int32_t a, std::int32_t b) const {
    return clamp(std::int64_t{a} + b);
  }
  static std::int32_t clamp(std::int64_t v) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(
        v, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
  }
};
struct SubtractSaturated {
  std::int32_t operator()(std::int32_t a, std::int32_t b) const {
    return AddSaturated::clamp(std::int64_t{a} - b);
  }
};
struct MultiplyAddHighSaturated {
  std::int32_t operator()(std::int32_t a, std::int32_t b, std::int32_t c) const {
    return AddSaturated::clamp(std::int64_t{MultiplyHigh{}(a, b)} + c);
  }
};
template <bool kHigh>
struct Multiply24 {
  template <class T>
  T operator()(T a, T b) const {
    const auto part = [](T v) {
      return static_cast<Wide<T>>(static_cast<T>(static_cast<std::uint32_t>(v) << 8) >> 8);
    };
    return static_cast<T>((part(a) * part(b)) >> (kHigh ? 16 : 0));
  }
};
template <bool kHigh>
struct MultiplyAdd24 {
  template <class T>
  T operator()(T a, T b, T c) const {
    return static_cast<T>(Multiply24<kHigh>{}(a, b) + c);
  }
};

template <class T>
void run_multiply_wide(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  set_lanes(row<Wide<T>>(w, ins.to), mask, [=](std::uint32_t lane) {
    return static_cast<Wide<T>>(a[lane]) * static_cast<Wide<T>>(b[lane]);
  });
}
template <class T>
void run_multiply_add_wide(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const Wide<T>* c = row<Wide<T>>(w, ins.c);
  set_lanes(row<Wide<T>>(w, ins.to), mask, [=](std::uint32_t lane) {
    return static_cast<Wide<T>>(a[lane]) * static_cast<Wide<T>>(b[lane]) + c[lane];
  });
}

// ---- carries: add.cc, addc, sub.cc, subc, mad.cc, madc ----

enum class CarryOperation : std::uint8_t { add, subtract, multiply_add_low, multiply_add_high };

struct CarryDetail : Detail {
  CarryOperation operation = CarryOperation::add;
  bool reads = false;   // addc
  bool writes = false;  // .cc
};

template <class T>
void run_carry(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const CarryDetail&>(*ins.detail);
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const T* c = row<T>(w, ins.c);
  T* to = row<T>(w, ins.to);
  LaneMask& flags = predicate(w, kCarryOffset);
  const LaneMask before = d.reads ? flags : 0;
  LaneMask after = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    const Wide<T> carry = (before >> lane) & 1;
    Wide<T> result = 0;
    switch (d.operation) {
      case CarryOperation::add:
        result = Wide<T>{a[lane]} + b[lane] + carry;
        break;
      case CarryOperation::subtract:
        result = Wide<T>{a[lane]} - b[lane] - carry;
        break;
      case CarryOperation::multiply_add_low:
        result = Wide<T>{MultiplyLow{}(a[lane], b[lane])} + c[lane] + carry;
        break;
      case CarryOperation::multiply_add_high:
        result = Wide<T>{MultiplyHigh{}(a[lane], b[lane])} + c[lane] + carry;
        break;
    }
    to[lane] = static_cast<T>(result);
    after |= static_cast<LaneMask>((result >> (8 * sizeof(T))) & 1) << lane;
  });
  if (d.writes) flags = blend(flags, after, mask);
}

// The signed high product needs the sign; every other operation is the same for both.
template <class T>
void run_carry_signed_high(Warp& w, const Instruction& ins, LaneMask mask) {
  using S = std::make_signed_t<T>;
  const auto& d = static_cast<const CarryDetail&>(*ins.detail);
  const S* a = row<S>(w, ins.a);
  const S* b = row<S>(w, ins.b);
  const T* c = row<T>(w, ins.c);
  T* to = row<T>(w, ins.to);
  LaneMask& flags = predicate(w, kCarryOffset);
  const LaneMask before = d.reads ? flags : 0;
  LaneMask after = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    const Wide<T> result = Wide<T>{static_cast<T>(MultiplyHigh{}(a[lane], b[lane]))} + c[lane] +
                           ((before >> lane) & 1);
    to[lane] = static_cast<T>(result);
    after |= static_cast<LaneMask>((result >> (8 * sizeof(T))) & 1) << lane;
  });
  if (d.writes) flags = blend(flags, after, mask);
}

void build_carry(Builder& b, CarryOperation operation, bool reads) {
  auto& d = b.detail<CarryDetail>();
  d.operation = operation;
  d.reads = reads;
  d.writes = b.take("cc");
  const Type type = b.take_type();
  const bool three = operation >= CarryOperation::multiply_add_low;
  b.expect_operands(three ? 4 : 3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = three ? b.value(3, type) : b.out.b;
  const bool signed_high = operation == CarryOperation::multiply_add_high && is_signed(type);
  if (bytes(type) == 4 && !is_float(type)) {
    b.out.handler = signed_high ? run_carry_signed_high<std::uint32_t> : run_carry<std::uint32_t>;
  } else if (bytes(type) == 8 && !is_float(type)) {
    b.out.handler = signed_high ? run_carry_signed_high<std::uint64_t> : run_carry<std::uint64_t>;
  }
}

bool carries(const Builder& b) { return b.has("cc") || b.source().opcode.back() == 'c'; }

// ---- builders: floating-point types are the business of floating.cpp ----

template <class Operation>
void build_binary(Builder& b, Type type) {
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.handler = for_integer<Binary<Operation>>(type);
}

void build_add(Builder& b) {
  const bool subtract = b.source().opcode.substr(0, 3) == "sub";
  if (carries(b)) {
    build_carry(b, subtract ? CarryOperation::subtract : CarryOperation::add,
                b.source().opcode.back() == 'c');
    return;
  }
  if (has_float_type(b)) {
    subtract ? build_float_subtract(b) : build_float_add(b);
    return;
  }
  const bool saturate = b.take("sat");
  const Type type = b.take_type();
  subtract ? build_binary<Subtract>(b, type) : build_binary<Add>(b, type);
  if (saturate) {
    if (type != Type::s32) b.unsupported("saturation of this type");
    b.out.handler = subtract ? run_binary<SubtractSaturated, std::int32_t>
                             : run_binary<AddSaturated, std::int32_t>;
  }
}

Handler wide_handler(Type type, bool add) {
  switch (type) {
    case Type::u16:
      return add ? run_multiply_add_wide<std::uint16_t> : run_multiply_wide<std::uint16_t>;
    case Type::s16:
      return add ? run_multiply_add_wide<std::int16_t> : run_multiply_wide<std::int16_t>;
    case Type::u32:
      return add ? run_multiply_add_wide<std::uint32_t> : run_multiply_wide<std::uint32_t>;
    case Type::s32:
      return add ? run_multiply_add_wide<std::int32_t> : run_multiply_wide<std::int32_t>;
    default:
      return nullptr;
  }
}

Type twice(Type type) { return bytes(type) == 2 ? Type::b32 : Type::b64; }

void build_multiply(Builder& b) {
  if (has_float_type(b)) {
    build_float_multiply(b);
    return;
  }
  const int part = b.take_any({"lo", "hi", "wide"});
  const Type type = b.take_type();
  if (part == 2) {
    b.expect_operands(3);
    b.out.to = b.result(0, twice(type));
    b.out.a = b.value(1, type);
    b.out.b = b.value(2, type);
    b.out.handler = wide_handler(type, false);
  } else if (part == 1) {
    build_binary<MultiplyHigh>(b, type);
  } else {
    build_binary<MultiplyLow>(b, type);
  }
}

void build_multiply_add(Builder& b) {
  if (has_float_type(b)) {
    build_float_fma(b);
    return;
  }
  const int part = b.take_any({"lo", "hi", "wide"});
  if (part < 0) b.unsupported("neither lo, hi nor wide");
  if (carries(b)) {
    if (part == 2) b.unsupported("a wide product with carry");
    build_carry(b, part == 1 ? CarryOperation::multiply_add_high : CarryOperation::multiply_add_low,
                b.source().opcode.back() == 'c');
    return;
  }
  const bool saturate = b.take("sat");
  const Type type = b.take_type();
  b.expect_operands(4);
  b.out.to = b.result(0, part == 2 ? twice(type) : type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = b.value(3, part == 2 ? twice(type) : type);
  if (part == 2) {
    b.out.handler = wide_handler(type, true);
  } else if (part == 1) {
    b.out.handler = for_integer<Ternary<MultiplyAddHigh>>(type);
  } else {
    b.out.handler = for_integer<Ternary<MultiplyAddLow>>(type);
  }
  if (saturate) {
    if (part != 1 || type != Type::s32) b.unsupported("saturation of this type");
    b.out.handler = run_ternary<MultiplyAddHighSaturated, std::int32_t>;
  }
}

template <bool kHigh>
Handler handler_24(Type type, bool add) {
  if (type == Type::u32) {
    return add ? run_ternary<MultiplyAdd24<kHigh>, std::uint32_t>
               : run_binary<Multiply24<kHigh>, std::uint32_t>;
  }
  if (type == Type::s32) {
    return add ? run_ternary<MultiplyAdd24<kHigh>, std::int32_t>
               : run_binary<Multiply24<kHigh>, std::int32_t>;
  }
  return nullptr;
}

void build_24(Builder& b) {
  const bool add = b.source().opcode == "mad24";
  const int part = b.take_any({"lo", "hi"});
  const Type type = b.take_type();
  b.expect_operands(add ? 4 : 3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = add ? b.value(3, type) : 0;
  b.out.handler = part == 1 ? handler_24<true>(type, add) : handler_24<false>(type, add);
}

void build_divide(Builder& b) {
  if (has_float_type(b)) {
    build_float_divide(b);
    return;
  }
  b.info.kind = InstructionClass::integer;
  build_binary<Divide>(b, b.take_type());
}
void build_remainder(Builder& b) { build_binary<Remainder>(b, b.take_type()); }

void build_minimum(Builder& b) {
  const bool maximum = b.source().opcode == "max";
  if (has_float_type(b)) {
    build_float_minimum(b);
    return;
  }
  const bool relu = b.take("relu");
  const Type type = b.take_type();
  if (relu && type != Type::s32) b.unsupported("relu of this type");
  if (relu) {
    maximum ? build_binary<MaximumRelu>(b, type) : build_binary<MinimumRelu>(b, type);
  } else {
    maximum ? build_binary<Maximum>(b, type) : build_binary<Minimum>(b, type);
  }
}

template <class Operation>
void build_unary(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.handler = for_integer<Unary<Operation>>(type);
}

void build_negate(Builder& b) {
  has_float_type(b) ? build_float_negate(b) : build_unary<Negate>(b);
}
void build_absolute(Builder& b) {
  has_float_type(b) ? build_float_absolute(b) : build_unary<Absolute>(b);
}

void build_sad(Builder& b) {
  const Type type = b.take_type();
  b.expect_operands(4);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  b.out.c = b.value(3, type);
  b.out.handler = for_integer<Ternary<SumOfDifferences>>(type);
}

// ---- dp4a, dp2a: sums of products of bytes ----

struct DotDetail : Detail {
  bool a_signed = false, b_signed = false;
  bool two = false;   // dp2a: 16-bit a
  bool high = false;  // dp2a.hi: the upper two bytes of b
};

void run_dot(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const DotDetail&>(*ins.detail);
  const auto* a = row<std::uint32_t>(w, ins.a);
  const auto* b = row<std::uint32_t>(w, ins.b);
  const auto* c = row<std::uint32_t>(w, ins.c);
  auto* to = row<std::uint32_t>(w, ins.to);
  const auto part = [](std::uint32_t v, int bits, int index, bool is_signed) -> std::int64_t {
    const std::uint32_t field = (v >> (bits * index)) & ((1u << bits) - 1);
    const bool negative = is_signed && (field >> (bits - 1)) != 0;
    return std::int64_t{field} - (negative ? std::int64_t{1} << bits : 0);
  };
  for_lanes(mask, [&](std::uint32_t lane) {
    std::int64_t sum = c[lane];
    for (int i = 0; i < (d.two ? 2 : 4); ++i) {
      sum += part(a[lane], d.two ? 16 : 8, i, d.a_signed) *
             part(b[lane], 8, i + (d.high ? 2 : 0), d.b_signed);
    }
    to[lane] = static_cast<std::uint32_t>(sum);
  });
}

void build_dot(Builder& b) {
  auto& d = b.detail<DotDetail>();
  d.two = b.source().opcode == "dp2a";
  if (d.two) d.high = b.take_any({"lo", "hi"}) == 1;
  d.a_signed = is_signed(b.take_type());
  d.b_signed = is_signed(b.take_type());
  b.expect_operands(4);
  b.out.to = b.result(0, Type::b32);
  b.out.a = b.value(1, Type::b32);
  b.out.b = b.value(2, Type::b32);
  b.out.c = b.value(3, Type::b32);
  b.out.handler = run_dot;
}

}  // namespace

// The opcodes that integer and floating-point types share, too.
void add_arithmetic(OpcodeTable& table) {
  constexpr auto kInteger = InstructionClass::integer;
  for (const char* opcode : {"add", "addc", "sub", "subc"}) table.add(opcode, kInteger, build_add);
  table.add("mul", kInteger, build_multiply);
  table.add("mad", kInteger, build_multiply_add);
  table.add("madc", kInteger, build_multiply_add);
  table.add("fma", InstructionClass::floating, build_float_fma);
  table.add("mul24", kInteger, build_24);
  table.add("mad24", kInteger, build_24);
  table.add("div", InstructionClass::special, build_divide);
  table.add("rem", kInteger, build_remainder);
  table.add("min", kInteger, build_minimum);
  table.add("max", kInteger, build_minimum);
  table.add("neg", kInteger, build_negate);
  table.add("abs", kInteger, build_absolute);
  table.add("sad", kInteger, build_sad);
  table.add("dp4a", kInteger, build_dot);
  table.add("dp2a", kInteger, build_dot);
}

}  // namespace vgpu
