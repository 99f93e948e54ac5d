// Approximate functions: ex2, lg2, sin, cos, tanh, rsqrt, and the approximate forms of rcp, sqrt
// and div. Computed in double and rounded, so more exact than a device; when errors are injected,
// a result errs by up to the bound that PTX states.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "tests/vgpu/exec/arithmetic.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/floating.h"
#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/exec/typed.h"

namespace vgpu {
namespace {

using ptx::Type;

double reciprocal(double x) { return 1 / x; }
double inverse_root(double x) { return 1 / std::sqrt(x); }

struct Approximation : Detail {
  double (*function)(double) = nullptr;
  double relative = 0;  // bounds of the error, in PTX's words
  double absolute = 0;
  bool ftz = false;
};

// A number in [-1, 1] that depends on the argument alone, so that runs repeat.
double unit(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  bits ^= bits >> 31;
  return static_cast<double>(static_cast<std::int64_t>(bits)) * 0x1p-63;
}

double err(double exact, double relative, double absolute, double argument) {
  if (!std::isfinite(exact) || exact == 0) return exact;
  const double u = unit(std::bit_cast<std::uint64_t>(argument));
  return exact + u * std::max(std::abs(exact) * relative, absolute);
}

float flush(float v) {
  return std::abs(v) < std::numeric_limits<float>::min() ? std::copysign(0.0f, v) : v;
}
float canonical(double v) {
  return v == v ? static_cast<float>(v) : std::bit_cast<float>(0x7fffffffu);
}

bool injecting(const Warp& w) { return w.worker->launch->options->inject_errors; }

void run_f32(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const Approximation&>(*ins.detail);
  const float* a = row<float>(w, ins.a);
  float* to = row<float>(w, ins.to);
  const bool inject = injecting(w);
  for_lanes(mask, [&](std::uint32_t lane) {
    const float x = d.ftz ? flush(a[lane]) : a[lane];
    double y = d.function(x);
    if (inject) y = err(y, d.relative, d.absolute, x);
    to[lane] = d.ftz ? flush(canonical(y)) : canonical(y);
  });
}

template <class T, int kParts>
void run_half(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const Approximation&>(*ins.detail);
  const T* a = row<T>(w, ins.a);
  T* to = row<T>(w, ins.to);
  const bool inject = injecting(w);
  for (std::uint32_t i = 0; i < kParts * kLanes; ++i) {
    if (((mask >> (i / kParts)) & 1) == 0) continue;
    const double x = to_double(a[i]);
    double y = d.function(x);
    if (inject) y = err(y, d.relative, d.absolute, x);
    to[i] = from_double<T>(y);
  }
}

// The double forms see and give the upper 32 bits of a double only.
void run_f64(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const Approximation&>(*ins.detail);
  const double* a = row<double>(w, ins.a);
  double* to = row<double>(w, ins.to);
  constexpr std::uint64_t kUpper = 0xffffffff00000000u;
  for_lanes(mask, [&](std::uint32_t lane) {
    auto bits = std::bit_cast<std::uint64_t>(a[lane]) & kUpper;
    if ((bits & 0x7ff0000000000000u) == 0) bits &= std::uint64_t{1} << 63;
    auto result = std::bit_cast<std::uint64_t>(d.function(std::bit_cast<double>(bits))) & kUpper;
    if ((result & 0x7ff0000000000000u) == 0) result &= std::uint64_t{1} << 63;
    to[lane] = std::bit_cast<double>(result);
  });
}

void build_approximation(Builder& b, double (*function)(double), double relative, double absolute) {
  auto& d = b.detail<Approximation>();
  d.function = function;
  d.relative = relative;
  d.absolute = absolute;
  b.take("approx");
  d.ftz = b.take("ftz");
  const Type type = b.take_type();
  b.expect_operands(2);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  count_flops(b, type, 1);
  b.info.kind = InstructionClass::special;
  switch (type) {
    case Type::f32:
      b.out.handler = run_f32;
      break;
    case Type::f64:
      b.out.handler = run_f64;
      break;
    case Type::f16:
      b.out.handler = run_half<F16, 1>;
      break;
    case Type::f16x2:
      b.out.handler = run_half<F16, 2>;
      break;
    case Type::bf16:
      b.out.handler = run_half<BF16, 1>;
      break;
    case Type::bf16x2:
      b.out.handler = run_half<BF16, 2>;
      break;
    default:
      break;
  }
}

bool exact_form(const Builder& b) { return !b.has("approx") && !b.has("full"); }

void build_reciprocal(Builder& b) {
  exact_form(b) ? build_float_reciprocal(b) : build_approximation(b, reciprocal, 0x1p-23, 0);
}
void build_square_root(Builder& b) {
  exact_form(b) ? build_float_root(b) : build_approximation(b, std::sqrt, 0x1p-23, 0);
}
void build_inverse_root(Builder& b) { build_approximation(b, inverse_root, 0x1.12p-23, 0); }
void build_exponential(Builder& b) {
  const bool half = !b.has("f32");
  build_approximation(b, std::exp2, half ? 0x1.02p-10 : 0x1p-22, 0);
}
void build_logarithm(Builder& b) { build_approximation(b, std::log2, 0x1p-22, 0x1p-22); }
void build_sine(Builder& b) { build_approximation(b, std::sin, 0, 0x1.12p-21); }
void build_cosine(Builder& b) { build_approximation(b, std::cos, 0, 0x1.12p-21); }
void build_tangent(Builder& b) { build_approximation(b, std::tanh, 0x1p-11, 0); }

}  // namespace

// ---- div.approx and div.full ----

namespace {

struct DivideDetail : Detail {
  bool full = false, ftz = false;
};

void run_divide(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const DivideDetail&>(*ins.detail);
  const float* a = row<float>(w, ins.a);
  const float* b = row<float>(w, ins.b);
  float* to = row<float>(w, ins.to);
  const bool inject = injecting(w);
  for_lanes(mask, [&](std::uint32_t lane) {
    const float x = d.ftz ? flush(a[lane]) : a[lane];
    const float y = d.ftz ? flush(b[lane]) : b[lane];
    double q = static_cast<double>(x) / y;
    // a * (1 / b) of a large b: the reciprocal is lost to flushing.
    if (!d.full && std::abs(y) > 0x1p126f && std::isfinite(y)) {
      q = std::isinf(x) ? std::numeric_limits<double>::quiet_NaN() : std::copysign(0.0, q);
    }
    if (inject) q = err(q, 0x1p-22, 0, static_cast<double>(x) + y);
    to[lane] = d.ftz ? flush(canonical(q)) : canonical(q);
  });
}

}  // namespace

void build_float_divide(Builder& b) {
  if (exact_form(b)) {
    build_float_ieee_divide(b);
    b.info.kind = InstructionClass::special;
    return;
  }
  auto& d = b.detail<DivideDetail>();
  d.full = b.take_any({"approx", "full"}) == 1;
  d.ftz = b.take("ftz");
  const Type type = b.take_type();
  if (type != Type::f32) b.unsupported("this type");
  b.expect_operands(3);
  b.out.to = b.result(0, type);
  b.out.a = b.value(1, type);
  b.out.b = b.value(2, type);
  count_flops(b, type, 1);
  b.info.kind = InstructionClass::special;
  b.out.handler = run_divide;
}

void add_special_functions(OpcodeTable& table) {
  constexpr auto kKind = InstructionClass::special;
  table.add("rcp", kKind, build_reciprocal);
  table.add("sqrt", kKind, build_square_root);
  table.add("rsqrt", kKind, build_inverse_root);
  table.add("ex2", kKind, build_exponential);
  table.add("lg2", kKind, build_logarithm);
  table.add("sin", kKind, build_sine);
  table.add("cos", kKind, build_cosine);
  table.add("tanh", kKind, build_tangent);
}

}  // namespace vgpu
