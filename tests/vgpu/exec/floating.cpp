// Floating-point arithmetic with IEEE rounding: f32, f64, f16, bf16 and the pairs of these.
#include <immintrin.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tests/vgpu/exec/arithmetic.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/floating.h"
#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

// ---- a register's value and what is computed with ----

inline float read(float v) { return v; }
inline double read(double v) { return v; }
inline double read(F16 v) { return to_double(v); }
inline double read(BF16 v) { return to_double(v); }

// PTX defines one NaN that all results are, but for doubles, which keep the operand's.
template <class T>
struct Write {
  static T of(double v) { return from_double<T>(v); }
};
template <>
struct Write<float> {
  static float of(float v) { return v == v ? v : std::bit_cast<float>(0x7fffffffu); }
};
template <>
struct Write<double> {
  static double of(double v) { return v; }
};

template <class T>
T flush(T v) {
  if constexpr (std::is_same_v<T, float>) {
    return std::abs(v) < std::numeric_limits<float>::min() ? std::copysign(0.0f, v) : v;
  } else if constexpr (std::is_same_v<T, F16>) {
    return (v.bits & 0x7c00) == 0 ? F16{static_cast<std::uint16_t>(v.bits & 0x8000)} : v;
  } else {
    return v;
  }
}

enum class Clamp : std::uint8_t { none, unit, relu };

template <class T, Clamp kClamp>
T clamp(T v) {
  if constexpr (kClamp == Clamp::none) {
    return v;
  } else {
    const auto x = read(v);
    if constexpr (kClamp == Clamp::unit) {
      return Write<T>::of(x > 0 ? (x < 1 ? x : 1) : 0);  // NaN becomes 0
    } else {
      return x < 0 ? Write<T>::of(0) : (x == 0 ? Write<T>::of(0) : v);  // NaN stays
    }
  }
}

// ---- operations; on double for the 16-bit formats, whose rounding afterwards is then right ----

struct Add {
  template <class C>
  C operator()(C a, C b) const {
    return a + b;
  }
};
struct Subtract {
  template <class C>
  C operator()(C a, C b) const {
    return a - b;
  }
};
struct Multiply {
  template <class C>
  C operator()(C a, C b) const {
    return a * b;
  }
};
struct Divide {
  template <class C>
  C operator()(C a, C b) const {
    return a / b;
  }
};
struct SquareRoot {
  template <class C>
  C operator()(C a) const {
    return std::sqrt(a);
  }
};
struct Reciprocal {
  template <class C>
  C operator()(C a) const {
    return C{1} / a;
  }
};

// kParts values a lane: 1, or 2 for the paired types.
template <class Operation, class T, int kParts, Clamp kClamp, bool kFlush>
void run_float_binary(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  T* to = row<T>(w, ins.to);
  const auto value = [=](std::uint32_t i) {
    T x = a[i];
    T y = b[i];
    if constexpr (kFlush) {
      x = flush(x);
      y = flush(y);
    }
    T result = clamp<T, kClamp>(Write<T>::of(Operation{}(read(x), read(y))));
    if constexpr (kFlush) result = flush(result);
    return result;
  };
  set_parts<kParts>(to, mask, value);
}

template <class T, int kParts, Clamp kClamp, bool kFlush>
void run_fma(Warp& w, const Instruction& ins, LaneMask mask) {
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  const T* c = row<T>(w, ins.c);
  T* to = row<T>(w, ins.to);
  const auto value = [=](std::uint32_t i) {
    T x = a[i];
    T y = b[i];
    T z = c[i];
    if constexpr (kFlush) {
      x = flush(x);
      y = flush(y);
      z = flush(z);
    }
    T result;
    if constexpr (std::is_floating_point_v<T>) {
      result = Write<T>::of(std::fma(x, y, z));
    } else {
      result = Write<T>::of(fma_to_odd(read(x), read(y), read(z)));
    }
    result = clamp<T, kClamp>(result);
    if constexpr (kFlush) result = flush(result);
    return result;
  };
  set_parts<kParts>(to, mask, value);
}

// ---- modes of the processor: directed rounding and flushing ----

struct ModeDetail : Detail {
  Handler inner = nullptr;
  unsigned control = 0;
};

void run_in_mode(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const ModeDetail&>(*ins.detail);
  const unsigned before = _mm_getcsr();
  _mm_setcsr(d.control);
  d.inner(w, ins, mask);
  _mm_setcsr(before);
}

constexpr unsigned kMasked = 0x1f80;  // no traps
constexpr unsigned kFlushBits = 0x8040;

// ---- picking handlers ----

template <class Operation, Clamp kClamp>
Handler binary_of(Type type, bool ftz) {
  switch (type) {
    case Type::f32:
      return run_float_binary<Operation, float, 1, kClamp, false>;
    case Type::f64:
      return run_float_binary<Operation, double, 1, kClamp, false>;
    case Type::f16:
      return ftz ? run_float_binary<Operation, F16, 1, kClamp, true>
                 : run_float_binary<Operation, F16, 1, kClamp, false>;
    case Type::f16x2:
      return ftz ? run_float_binary<Operation, F16, 2, kClamp, true>
                 : run_float_binary<Operation, F16, 2, kClamp, false>;
    case Type::bf16:
      return run_float_binary<Operation, BF16, 1, kClamp, false>;
    case Type::bf16x2:
      return run_float_binary<Operation, BF16, 2, kClamp, false>;
    default:
      return nullptr;
  }
}

template <Clamp kClamp>
Handler fma_of(Type type, bool ftz) {
  switch (type) {
    case Type::f32:
      return run_fma<float, 1, kClamp, false>;
    case Type::f64:
      return run_fma<double, 1, kClamp, false>;
    case Type::f16:
      return ftz ? run_fma<F16, 1, kClamp, true> : run_fma<F16, 1, kClamp, false>;
    case Type::f16x2:
      return ftz ? run_fma<F16, 2, kClamp, true> : run_fma<F16, 2, kClamp, false>;
    case Type::bf16:
      return run_fma<BF16, 1, kClamp, false>;
    case Type::bf16x2:
      return run_fma<BF16, 2, kClamp, false>;
    default:
      return nullptr;
  }
}

struct FloatModifiers {
  Rounding rounding = Rounding::nearest;
  bool ftz = false, sat = false, relu = false;
  Type type = Type::none;
};

FloatModifiers take_modifiers(Builder& b) {
  FloatModifiers m;
  m.rounding = take_rounding(b).value_or(Rounding::nearest);
  m.ftz = b.take("ftz");
  m.sat = b.take("sat");
  m.relu = b.take("relu");
  m.type = b.take_type();
  if (!is_float(m.type)) b.unsupported("this type");
  return m;
}

void finish(Builder& b, const FloatModifiers& m, Handler handler, int operations) {
  b.out.handler = handler;
  count_flops(b, m.type, operations);
  apply_mode(b, m.type, m.rounding, m.ftz);
}

template <class Operation>
void build_float_binary(Builder& b) {
  const FloatModifiers m = take_modifiers(b);
  b.expect_operands(3);
  b.out.to = b.result(0, m.type);
  b.out.a = b.value(1, m.type);
  b.out.b = b.value(2, m.type);
  if (m.relu) b.unsupported("relu");
  finish(b, m,
         m.sat ? binary_of<Operation, Clamp::unit>(m.type, m.ftz)
               : binary_of<Operation, Clamp::none>(m.type, m.ftz),
         1);
}

// ---- minimum, maximum, sign ----

struct MinMaxDetail : Detail {
  bool maximum = false, nan = false, xorsign = false, ftz = false;
};

template <class T, int kParts>
void run_minimum(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const MinMaxDetail&>(*ins.detail);
  const T* a = row<T>(w, ins.a);
  const T* b = row<T>(w, ins.b);
  set_parts<kParts>(row<T>(w, ins.to), mask, [&](std::uint32_t i) {
    auto x = read(d.ftz ? flush(a[i]) : a[i]);
    auto y = read(d.ftz ? flush(b[i]) : b[i]);
    const bool negative = std::signbit(x) != std::signbit(y);
    if (d.xorsign) {
      x = std::abs(x);
      y = std::abs(y);
    }
    auto result = x;
    if (x != x) {
      result = d.nan ? x : y;
    } else if (y != y) {
      result = d.nan ? y : x;
    } else if (x == y) {  // zeros: the negative one is less
      result = std::signbit(x) != d.maximum ? x : y;
    } else {
      result = (x < y) != d.maximum ? x : y;
    }
    if (d.xorsign) result = std::copysign(result, negative ? -1.0f : 1.0f);
    return Write<T>::of(result);
  });
}

template <class T, int kParts, bool kAbsolute>
void run_sign(Warp& w, const Instruction& ins, LaneMask mask) {
  const bool ftz = ins.variant != 0;
  const T* a = row<T>(w, ins.a);
  set_parts<kParts>(row<T>(w, ins.to), mask, [=](std::uint32_t i) {
    const T x = ftz ? flush(a[i]) : a[i];
    if constexpr (std::is_floating_point_v<T>) {
      return kAbsolute ? std::abs(x) : -x;
    } else {
      return T{static_cast<std::uint16_t>(kAbsolute ? x.bits & 0x7fff : x.bits ^ 0x8000)};
    }
  });
}

template <bool kAbsolute>
void build_sign(Builder& b) {
  b.out.variant = b.take("ftz") ? 1 : 0;
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.info.kind = InstructionClass::floating;
  switch (type) {
    case Type::f32:
      b.out.handler = run_sign<float, 1, kAbsolute>;
      break;
    case Type::f64:
      b.out.handler = run_sign<double, 1, kAbsolute>;
      break;
    case Type::f16:
      b.out.handler = run_sign<F16, 1, kAbsolute>;
      break;
    case Type::f16x2:
      b.out.handler = run_sign<F16, 2, kAbsolute>;
      break;
    case Type::bf16:
      b.out.handler = run_sign<BF16, 1, kAbsolute>;
      break;
    case Type::bf16x2:
      b.out.handler = run_sign<BF16, 2, kAbsolute>;
      break;
    default:
      break;
  }
}

template <class Operation>
void build_root(Builder& b) {
  const FloatModifiers m = take_modifiers(b);
  b.expect_operands(2);
  b.out.to = b.result(0, m.type);
  b.out.a = b.value(1, m.type);
  Handler handler = nullptr;
  if (m.type == Type::f32) {
    handler = [](Warp& w, const Instruction& ins, LaneMask mask) {
      const float* a = row<float>(w, ins.a);
      set_lanes(row<float>(w, ins.to), mask,
                [=](std::uint32_t i) { return Write<float>::of(Operation{}(a[i])); });
    };
  } else if (m.type == Type::f64) {
    handler = run_unary<Operation, double>;
  }
  finish(b, m, handler, 1);
}

}  // namespace

bool has_float_type(const Builder& b) {
  for (const char* type : {"f32", "f64", "f16", "f16x2", "bf16", "bf16x2"}) {
    if (b.has(type)) return true;
  }
  return false;
}

std::optional<Rounding> take_rounding(Builder& b) {
  switch (b.take_any({"rn", "rz", "rm", "rp", "rna"})) {
    case 0:
      return Rounding::nearest;
    case 1:
      return Rounding::zero;
    case 2:
      return Rounding::down;
    case 3:
      return Rounding::up;
    case 4:
      return Rounding::away;
    default:
      return std::nullopt;
  }
}

void count_flops(Builder& b, Type type, int operations) {
  b.info.kind = InstructionClass::floating;
  const bool pair = type == Type::f16x2 || type == Type::bf16x2;
  b.info.flops = static_cast<std::uint32_t>(operations * (pair ? 2 : 1));
  Precision precision = Precision::f32;
  if (type == Type::f64) precision = Precision::f64;
  if (type == Type::f16 || type == Type::f16x2) precision = Precision::f16;
  if (type == Type::bf16 || type == Type::bf16x2) precision = Precision::bf16;
  b.info.precision = static_cast<std::uint8_t>(precision);
}

void apply_mode(Builder& b, Type type, Rounding rounding, bool ftz) {
  const bool wide = type == Type::f32 || type == Type::f64;
  if (!wide && rounding != Rounding::nearest) b.unsupported("directed rounding of this type");
  if (!wide || b.out.handler == nullptr || (rounding == Rounding::nearest && !ftz)) return;
  constexpr unsigned kRounding[] = {0, 0x6000, 0x2000, 0x4000, 0};
  auto& d = b.detail<ModeDetail>();
  d.inner = b.out.handler;
  d.control = kMasked | kRounding[static_cast<int>(rounding)] | (ftz ? kFlushBits : 0);
  b.out.handler = run_in_mode;
}

void build_float_add(Builder& b) { build_float_binary<Add>(b); }
void build_float_subtract(Builder& b) { build_float_binary<Subtract>(b); }
void build_float_multiply(Builder& b) { build_float_binary<Multiply>(b); }
void build_float_ieee_divide(Builder& b) { build_float_binary<Divide>(b); }
void build_float_root(Builder& b) { build_root<SquareRoot>(b); }
void build_float_reciprocal(Builder& b) { build_root<Reciprocal>(b); }

void build_float_fma(Builder& b) {
  const FloatModifiers m = take_modifiers(b);
  b.expect_operands(4);
  b.out.to = b.result(0, m.type);
  b.out.a = b.value(1, m.type);
  b.out.b = b.value(2, m.type);
  b.out.c = b.value(3, m.type);
  Handler handler = m.sat    ? fma_of<Clamp::unit>(m.type, m.ftz)
                    : m.relu ? fma_of<Clamp::relu>(m.type, m.ftz)
                             : fma_of<Clamp::none>(m.type, m.ftz);
  if (m.relu && (m.type == Type::f32 || m.type == Type::f64)) b.unsupported("relu of this type");
  finish(b, m, handler, 2);
}

void build_float_minimum(Builder& b) {
  auto& d = b.detail<MinMaxDetail>();
  d.maximum = b.source().opcode == "max";
  d.ftz = b.take("ftz");
  d.nan = b.take("NaN");
  d.xorsign = b.take("xorsign");
  if (d.xorsign && !b.take("abs")) b.unsupported("xorsign without abs");
  const Type type = b.take_type();
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  count_flops(b, type, 1);
  switch (type) {
    case Type::f32:
      b.out.handler = run_minimum<float, 1>;
      break;
    case Type::f64:
      b.out.handler = run_minimum<double, 1>;
      break;
    case Type::f16:
      b.out.handler = run_minimum<F16, 1>;
      break;
    case Type::f16x2:
      b.out.handler = run_minimum<F16, 2>;
      break;
    case Type::bf16:
      b.out.handler = run_minimum<BF16, 1>;
      break;
    case Type::bf16x2:
      b.out.handler = run_minimum<BF16, 2>;
      break;
    default:
      break;
  }
}

void build_float_negate(Builder& b) { build_sign<false>(b); }
void build_float_absolute(Builder& b) { build_sign<true>(b); }

}  // namespace vgpu
