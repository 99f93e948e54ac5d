// cvt between integers and floating-point formats, with rounding and saturation.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/floating.h"
#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

struct ConvertDetail : Detail {
  Rounding rounding = Rounding::nearest;
  bool to_integral = false;  // rni, rzi, rmi, rpi
  bool ftz = false, sat = false, relu = false, satfinite = false;
  std::uint32_t from_bytes = 0;  // of the registers, which may be wider than the types
  std::uint32_t to_bytes = 0;
};

// ---- integers to integers: by far the most common ----

template <class To, class From, class ToRegister, class FromRegister>
void run_integer(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* a = row<FromRegister>(w, ins.a);
  set_lanes(row<ToRegister>(w, ins.to), mask, [=](std::uint32_t lane) {
    return static_cast<ToRegister>(static_cast<To>(static_cast<From>(a[lane])));
  });
}

template <class To, class From>
To saturate(From v) {
  using Wide = std::conditional_t<std::is_signed_v<From>, std::int64_t, std::uint64_t>;
  const Wide value = Wide{0} + v;
  if constexpr (std::is_signed_v<From>) {
    if (value < 0 && std::is_unsigned_v<To>) return 0;
    if (value < static_cast<std::int64_t>(std::numeric_limits<To>::min()) && std::is_signed_v<To>) {
      return std::numeric_limits<To>::min();
    }
  }
  if (static_cast<std::uint64_t>(value) >
          static_cast<std::uint64_t>(std::numeric_limits<To>::max()) &&
      !(std::is_signed_v<From> && value < 0)) {
    return std::numeric_limits<To>::max();
  }
  return static_cast<To>(v);
}

template <class To, class From, class ToRegister, class FromRegister>
void run_integer_saturated(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto* a = row<FromRegister>(w, ins.a);
  set_lanes(row<ToRegister>(w, ins.to), mask, [=](std::uint32_t lane) {
    return static_cast<ToRegister>(saturate<To>(static_cast<From>(a[lane])));
  });
}

template <class To, class From, class ToRegister>
Handler integer_from(std::uint32_t from_bytes, bool sat) {
  switch (from_bytes) {
    case 2:
      return sat ? run_integer_saturated<To, From, ToRegister, std::uint16_t>
                 : run_integer<To, From, ToRegister, std::uint16_t>;
    case 4:
      return sat ? run_integer_saturated<To, From, ToRegister, std::uint32_t>
                 : run_integer<To, From, ToRegister, std::uint32_t>;
    case 8:
      return sat ? run_integer_saturated<To, From, ToRegister, std::uint64_t>
                 : run_integer<To, From, ToRegister, std::uint64_t>;
    default:
      return nullptr;
  }
}

// A result wider than its type is extended by the type's sign.
template <class To, class From>
Handler integer_to(std::uint32_t to_bytes, std::uint32_t from_bytes, bool sat) {
  switch (to_bytes) {
    case 2:
      return integer_from<To, From,
                          std::conditional_t<std::is_signed_v<To>, std::int16_t, std::uint16_t>>(
          from_bytes, sat);
    case 4:
      return integer_from<To, From,
                          std::conditional_t<std::is_signed_v<To>, std::int32_t, std::uint32_t>>(
          from_bytes, sat);
    case 8:
      return integer_from<To, From,
                          std::conditional_t<std::is_signed_v<To>, std::int64_t, std::uint64_t>>(
          from_bytes, sat);
    default:
      return nullptr;
  }
}

template <class From>
Handler integer_pair(Type to, std::uint32_t to_bytes, std::uint32_t from_bytes, bool sat) {
  switch (to) {
    case Type::u8:
    case Type::b8:
      return integer_to<std::uint8_t, From>(to_bytes, from_bytes, sat);
    case Type::u16:
    case Type::b16:
      return integer_to<std::uint16_t, From>(to_bytes, from_bytes, sat);
    case Type::u32:
    case Type::b32:
      return integer_to<std::uint32_t, From>(to_bytes, from_bytes, sat);
    case Type::u64:
    case Type::b64:
      return integer_to<std::uint64_t, From>(to_bytes, from_bytes, sat);
    case Type::s8:
      return integer_to<std::int8_t, From>(to_bytes, from_bytes, sat);
    case Type::s16:
      return integer_to<std::int16_t, From>(to_bytes, from_bytes, sat);
    case Type::s32:
      return integer_to<std::int32_t, From>(to_bytes, from_bytes, sat);
    case Type::s64:
      return integer_to<std::int64_t, From>(to_bytes, from_bytes, sat);
    default:
      return nullptr;
  }
}

Handler integer_handler(Type to, Type from, const ConvertDetail& d) {
  switch (from) {
    case Type::u8:
    case Type::b8:
      return integer_pair<std::uint8_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::u16:
    case Type::b16:
      return integer_pair<std::uint16_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::u32:
    case Type::b32:
      return integer_pair<std::uint32_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::u64:
    case Type::b64:
      return integer_pair<std::uint64_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::s8:
      return integer_pair<std::int8_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::s16:
      return integer_pair<std::int16_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::s32:
      return integer_pair<std::int32_t>(to, d.to_bytes, d.from_bytes, d.sat);
    case Type::s64:
      return integer_pair<std::int64_t>(to, d.to_bytes, d.from_bytes, d.sat);
    default:
      return nullptr;
  }
}

// ---- everything with a floating-point side ----

std::uint64_t load_register(const std::byte* at, std::uint32_t bytes, std::uint32_t lane) {
  std::uint64_t bits = 0;
  __builtin_memcpy(&bits, at + std::size_t{lane} * bytes, bytes);
  return bits;
}
void store_register(std::byte* at, std::uint32_t bytes, std::uint32_t lane, std::uint64_t bits) {
  __builtin_memcpy(at + std::size_t{lane} * bytes, &bits, bytes);
}

double round_integral(double v, Rounding rounding) {
  switch (rounding) {
    case Rounding::nearest:
      return std::nearbyint(v);
    case Rounding::zero:
      return std::trunc(v);
    case Rounding::down:
      return std::floor(v);
    case Rounding::up:
      return std::ceil(v);
    case Rounding::away:
      return std::round(v);
  }
  return v;
}

double flushed(double v) { return std::abs(v) < 0x1p-126 ? std::copysign(0.0, v) : v; }

double float_to_double(Type type, std::uint64_t bits) {
  switch (type) {
    case Type::f16:
      return to_double(F16{static_cast<std::uint16_t>(bits)});
    case Type::bf16:
      return to_double(BF16{static_cast<std::uint16_t>(bits)});
    case Type::f32:
      return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    default:
      return std::bit_cast<double>(bits);
  }
}

double largest_finite(Type type) {
  switch (type) {
    case Type::f16:
      return 65504;
    case Type::bf16:
      return 0x1.fep127;
    case Type::tf32:
      return 0x1.ffcp127;
    case Type::f64:
      return std::numeric_limits<double>::max();
    default:
      return std::numeric_limits<float>::max();
  }
}

std::uint64_t double_to_float_bits(Type type, double v, const ConvertDetail& d) {
  if (d.sat) v = v > 0 ? (v < 1 ? v : 1) : 0;
  if (d.relu && v < 0) v = 0;
  std::uint64_t bits = 0;
  switch (type) {
    case Type::f16:
      bits = round_to_format<10, 5>(v, d.rounding);
      break;
    case Type::bf16:
      bits = round_to_format<7, 8>(v, d.rounding);
      break;
    case Type::tf32:
      bits = round_to_tf32(static_cast<float>(v), d.rounding);
      break;
    case Type::f32: {
      bits = round_to_format<23, 8>(v, d.rounding);
      if (d.ftz && (bits & 0x7f800000) == 0) bits &= 0x80000000;
      break;
    }
    default:
      bits = std::bit_cast<std::uint64_t>(v);
      break;
  }
  if (d.relu && v == 0) bits = 0;
  const double most = largest_finite(type);
  if (d.satfinite && std::abs(v) > most && v == v) {
    ConvertDetail plain;
    return double_to_float_bits(type, std::copysign(most, v), plain);
  }
  return bits;
}

// Out of range saturates. A NaN becomes 0, or the highest bit where a side has 64 bits.
std::uint64_t double_to_integer(double v, Type type, bool from_double, Rounding rounding) {
  const bool sign = is_signed(type);
  const int width = 8 * static_cast<int>(bytes(type));
  if (v != v) return width == 64 || from_double ? std::uint64_t{1} << (width - 1) : 0;
  v = round_integral(v, rounding);
  const double high = std::ldexp(1.0, sign ? width - 1 : width);
  const double low = sign ? -high : 0;
  if (v < low) return sign ? ~std::uint64_t{0} << (width - 1) : 0;
  if (v >= high) {
    const std::uint64_t ones = ~std::uint64_t{0} >> (64 - width);
    return sign ? ones >> 1 : ones;
  }
  return sign ? static_cast<std::uint64_t>(static_cast<std::int64_t>(v))
              : static_cast<std::uint64_t>(v);
}

// An integer in a format of fewer bits, rounded once: a double does not hold all 64-bit integers,
// so what is below its last bit is kept as one sticky bit.
double integer_to_double_odd(std::uint64_t magnitude) {
  if (magnitude < (std::uint64_t{1} << 53)) return static_cast<double>(magnitude);
  const int drop = 11 - std::countl_zero(magnitude);
  const std::uint64_t kept = magnitude >> drop;
  const bool sticky = (kept << drop) != magnitude;
  return std::ldexp(static_cast<double>(kept | (sticky ? 1 : 0)), drop);
}

double integer_to_double(std::uint64_t magnitude, bool negative, Rounding rounding) {
  // To a double itself, with its rounding.
  double v = static_cast<double>(magnitude);
  const auto exact = [&](double x) {
    return x < 0x1p64 && static_cast<std::uint64_t>(x) == magnitude;
  };
  if (!exact(v) && rounding != Rounding::nearest) {
    const bool above = v >= 0x1p64 || static_cast<std::uint64_t>(v) > magnitude;
    const bool want_above =
        (rounding == Rounding::up && !negative) || (rounding == Rounding::down && negative);
    if (above && !want_above) v = std::nextafter(v, 0.0);
    if (!above && want_above) v = std::nextafter(v, std::numeric_limits<double>::infinity());
  }
  return negative ? -v : v;
}

// One lane's conversion. Slower than a vector loop, but every pair of types goes this way.
std::uint64_t convert(std::uint64_t bits, Type to, Type from, const ConvertDetail& d) {
  if (is_float(from)) {
    double v = float_to_double(from, bits);
    if (d.ftz && from == Type::f32) v = flushed(v);
    if (!is_float(to)) return double_to_integer(v, to, from == Type::f64, d.rounding);
    if (d.to_integral) v = round_integral(v, d.rounding);
    return double_to_float_bits(to, v, d);
  }
  const int width = 8 * static_cast<int>(bytes(from));
  const bool negative = is_signed(from) && ((bits >> (width - 1)) & 1) != 0;
  if (negative && width < 64) bits |= ~std::uint64_t{0} << width;
  if (!negative && width < 64) bits &= ~std::uint64_t{0} >> (64 - width);
  const std::uint64_t magnitude = negative ? 0 - bits : bits;
  if (to == Type::f64)
    return std::bit_cast<std::uint64_t>(integer_to_double(magnitude, negative, d.rounding));
  const double v = integer_to_double_odd(magnitude);
  return double_to_float_bits(to, negative ? -v : v, d);
}

struct TypedConvertDetail : ConvertDetail {
  Type to = Type::none, from = Type::none;
};

void run_convert(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const TypedConvertDetail&>(*ins.detail);
  const std::byte* a = w.rows + ins.a;
  std::byte* to = w.rows + ins.to;
  const bool extend = is_signed(d.to) && d.to_bytes > bytes(d.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    std::uint64_t result = convert(load_register(a, d.from_bytes, lane), d.to, d.from, d);
    const int width = 8 * static_cast<int>(bytes(d.to));
    if (width < 64 && !extend) result &= ~std::uint64_t{0} >> (64 - width);
    store_register(to, d.to_bytes, lane, result);
  });
}

// The usual forms of int and float, as vector loops.
template <class To, class From>
struct Plain {
  To operator()(From v) const { return static_cast<To>(v); }
};

float canonical(float v) { return v == v ? v : std::bit_cast<float>(0x7fffffffu); }

template <class To>
struct Narrow {
  To operator()(float v) const { return from_double<To>(v); }
};
template <class From>
struct Widen {
  float operator()(From v) const { return canonical(to_float(v)); }
};
struct DoubleToFloat {
  float operator()(double v) const { return canonical(static_cast<float>(v)); }
};

Handler plain_handler(const TypedConvertDetail& d) {
  if (d.sat || d.ftz || d.relu || d.satfinite || d.to_integral || d.rounding != Rounding::nearest ||
      d.to_bytes != bytes(d.to) || d.from_bytes != bytes(d.from)) {
    return nullptr;
  }
  const auto is = [&](Type to, Type from) { return d.to == to && d.from == from; };
  if (is(Type::f32, Type::s32)) return run_unary<Plain<float, std::int32_t>, std::int32_t, float>;
  if (is(Type::f32, Type::u32)) return run_unary<Plain<float, std::uint32_t>, std::uint32_t, float>;
  if (is(Type::f64, Type::s32)) return run_unary<Plain<double, std::int32_t>, std::int32_t, double>;
  if (is(Type::f64, Type::f32)) return run_unary<Plain<double, float>, float, double>;
  if (is(Type::f32, Type::f64)) return run_unary<DoubleToFloat, double, float>;
  if (is(Type::f16, Type::f32)) return run_unary<Narrow<F16>, float, F16>;
  if (is(Type::bf16, Type::f32)) return run_unary<Narrow<BF16>, float, BF16>;
  if (is(Type::f32, Type::f16)) return run_unary<Widen<F16>, F16, float>;
  if (is(Type::f32, Type::bf16)) return run_unary<Widen<BF16>, BF16, float>;
  return nullptr;
}

// ---- two floats to a pair: cvt.rn.bf16x2.f32 d, a, b; a becomes the upper half ----

void run_pack(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const TypedConvertDetail&>(*ins.detail);
  const float* a = row<float>(w, ins.a);
  const float* b = row<float>(w, ins.b);
  const Type half = d.to == Type::f16x2 ? Type::f16 : Type::bf16;
  auto* to = row<std::uint32_t>(w, ins.to);
  for_lanes(mask, [&](std::uint32_t lane) {
    const auto high = static_cast<std::uint32_t>(double_to_float_bits(half, a[lane], d));
    const auto low = static_cast<std::uint32_t>(double_to_float_bits(half, b[lane], d));
    to[lane] = (high << 16) | low;
  });
}

template <class Half>
void run_pack_nearest(Warp& w, const Instruction& ins, LaneMask mask) {
  const float* a = row<float>(w, ins.a);
  const float* b = row<float>(w, ins.b);
  set_lanes(row<std::uint32_t>(w, ins.to), mask, [=](std::uint32_t lane) {
    return (static_cast<std::uint32_t>(from_double<Half>(a[lane]).bits) << 16) |
           from_double<Half>(b[lane]).bits;
  });
}

std::optional<Rounding> take_integral_rounding(Builder& b) {
  switch (b.take_any({"rni", "rzi", "rmi", "rpi"})) {
    case 0:
      return Rounding::nearest;
    case 1:
      return Rounding::zero;
    case 2:
      return Rounding::down;
    case 3:
      return Rounding::up;
    default:
      return std::nullopt;
  }
}

void build_convert(Builder& b) {
  if (b.has("pack")) b.unsupported("pack");
  auto& d = b.detail<TypedConvertDetail>();
  if (const auto integral = take_integral_rounding(b)) {
    d.rounding = *integral;
    d.to_integral = true;
  } else if (const auto rounding = take_rounding(b)) {
    d.rounding = *rounding;
  } else {
    d.rounding = Rounding::nearest;
  }
  d.ftz = b.take("ftz");
  d.sat = b.take("sat");
  d.relu = b.take("relu");
  d.satfinite = b.take("satfinite");
  d.to = b.take_type();
  d.from = b.take_type();
  if (d.to == Type::f16x2 || d.to == Type::bf16x2) {
    b.expect_operands(3);
    if (d.from != Type::f32) b.unsupported("from this type");
    b.out.to = b.result(0, d.to);
    b.out.a = b.value(1, Type::f32);
    b.out.b = b.value(2, Type::f32);
    const bool plain = d.rounding == Rounding::nearest && !d.relu && !d.satfinite && !d.sat;
    b.out.handler = !plain                ? run_pack
                    : d.to == Type::f16x2 ? run_pack_nearest<F16>
                                          : run_pack_nearest<BF16>;
    return;
  }
  b.expect_operands(2);
  const ptx::Operand& to = b.operand(0);
  const ptx::Operand& from = b.operand(1);
  d.to_bytes = b.register_bytes(to, std::max(2u, bytes(d.to)));
  d.from_bytes = b.register_bytes(from, std::max(2u, bytes(d.from)));
  if (to.kind != ptx::Operand::Kind::reg || d.to_bytes < bytes(d.to) ||
      d.from_bytes < bytes(d.from)) {
    b.unsupported("a register too small");
  }
  b.out.to = b.layout.register_offset(to.index);
  b.out.a = from.kind == ptx::Operand::Kind::reg ? b.layout.register_offset(from.index)
                                                 : b.value(from, d.from);
  if (!is_float(d.to) && !is_float(d.from)) {
    b.out.handler = integer_handler(d.to, d.from, d);
    return;
  }
  b.out.handler = plain_handler(d);
  if (b.out.handler == nullptr) b.out.handler = run_convert;
}

}  // namespace

void add_conversions(OpcodeTable& table) {
  table.add("cvt", InstructionClass::conversion, build_convert);
}

}  // namespace vgpu
