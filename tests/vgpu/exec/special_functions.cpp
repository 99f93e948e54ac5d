// Approximate functions: ex2, lg2, sin, cos, tanh, rsqrt, and the approximate forms of rcp, sqrt
// and div. Computed in double and rounded, so more exact than a device; when errors are injected,
// a result errs by up to the bound that PTX states. (For the forms in double it states none.)
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

// How far a result may be from the exact one, in PTX's words: the largest of these.
struct Bound {
  double relative = 0, absolute = 0;
  double ulps = 0;          // units in the last place of the result
  double absolute_far = 0;  // instead of `absolute` beyond a turn, of angles
};

struct Approximation : Detail {
  double (*function)(double) = nullptr;
  Bound bound;
  bool ftz = false;
};

// A format of results: bits of its fraction and its lowest exponent.
struct Format {
  int fraction, lowest;
};
template <class T>
constexpr Format kFormat{};
template <>
constexpr Format kFormat<float>{23, -126};
template <>
constexpr Format kFormat<F16>{10, -14};
template <>
constexpr Format kFormat<BF16>{7, -126};

std::uint64_t mix(std::uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
  return bits ^ (bits >> 31);
}

// Makes results err, and so that they are still within the bound when they have been rounded. An
// error depends on the argument and the seed alone, so that runs repeat.
class Injection {
 public:
  Injection(const Warp& w, Format format)
      : format_(format), seed_(w.worker->launch->options->seed) {}

  [[nodiscard]] double apply(double exact, const Bound& bound, double argument,
                             double second_argument = 0) const {
    if (!std::isfinite(exact) || exact == 0) return exact;
    constexpr double kTurn = 6.283185307179586;
    const bool far = bound.absolute_far != 0 && std::abs(argument) > kTurn;
    const double size = std::abs(exact);
    const double allowed =
        std::max({size * bound.relative, far ? bound.absolute_far : bound.absolute,
                  bound.ulps * last_place(size)});
    const double range = allowed - last_place(size + allowed) / 2;
    if (!(range > 0)) return exact;
    const std::uint64_t hash =
        mix(std::bit_cast<std::uint64_t>(argument) +
            mix(std::bit_cast<std::uint64_t>(second_argument) + mix(seed_ + 1)));
    return exact + static_cast<double>(static_cast<std::int64_t>(hash)) * 0x1p-63 * range;
  }

 private:
  [[nodiscard]] double last_place(double size) const {
    return std::ldexp(1.0, std::max(std::ilogb(size), format_.lowest) - format_.fraction);
  }

  Format format_;
  std::uint64_t seed_;
};

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
  const Injection errors(w, kFormat<float>);
  for_lanes(mask, [&](std::uint32_t lane) {
    const float x = d.ftz ? flush(a[lane]) : a[lane];
    double y = d.function(x);
    if (inject) y = errors.apply(y, d.bound, x);
    to[lane] = d.ftz ? flush(canonical(y)) : canonical(y);
  });
}

template <class T, int kParts>
void run_half(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const Approximation&>(*ins.detail);
  const T* a = row<T>(w, ins.a);
  T* to = row<T>(w, ins.to);
  const bool inject = injecting(w);
  const Injection errors(w, kFormat<T>);
  for (std::uint32_t i = 0; i < kParts * kLanes; ++i) {
    if (((mask >> (i / kParts)) & 1) == 0) continue;
    const double x = to_double(a[i]);
    double y = d.function(x);
    if (inject) y = errors.apply(y, d.bound, x);
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

void build_approximation(Builder& b, double (*function)(double), const Bound& bound) {
  auto& d = b.detail<Approximation>();
  d.function = function;
  d.bound = bound;
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
  exact_form(b) ? build_float_reciprocal(b) : build_approximation(b, reciprocal, {.ulps = 1});
}
void build_square_root(Builder& b) {
  exact_form(b) ? build_float_root(b) : build_approximation(b, std::sqrt, {.relative = 0x1p-23});
}
void build_inverse_root(Builder& b) {
  build_approximation(b, inverse_root, {.relative = 0x1.125p-23});  // 2^-22.9
}
bool is_f16(const Builder& b) { return b.has("f16") || b.has("f16x2"); }
void build_exponential(Builder& b) {
  build_approximation(b, std::exp2,
                      b.has("f32") ? Bound{.ulps = 2}
                      : is_f16(b)  ? Bound{.relative = 0x1.125p-10}  // 2^-9.9
                                   : Bound{.relative = 0x1p-7});
}
// Absolute where the logarithm is below 1, relative where it is above.
void build_logarithm(Builder& b) {
  build_approximation(b, std::log2, {.relative = 0x1p-22, .absolute = 0x1p-22});
}
// 2^-20.5 within a turn; 2^-14.7 within fifty, which is taken to hold beyond too.
constexpr Bound kAngle{.absolute = 0x1.6ap-21, .absolute_far = 0x1.3b2p-15};
void build_sine(Builder& b) { build_approximation(b, std::sin, kAngle); }
void build_cosine(Builder& b) { build_approximation(b, std::cos, kAngle); }
void build_tangent(Builder& b) {
  build_approximation(b, std::tanh,
                      b.has("f32") ? Bound{.relative = 0x1p-11}
                      : is_f16(b)  ? Bound{.absolute = 0x1.024p-11}  // 2^-10.987
                                   : Bound{.absolute = 0x1p-8});
}

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
  const Injection errors(w, kFormat<float>);
  for_lanes(mask, [&](std::uint32_t lane) {
    const float x = d.ftz ? flush(a[lane]) : a[lane];
    const float y = d.ftz ? flush(b[lane]) : b[lane];
    double q = static_cast<double>(x) / y;
    // a * (1 / b) of a large b: the reciprocal is lost to flushing.
    if (!d.full && std::abs(y) > 0x1p126f && std::isfinite(y)) {
      q = std::isinf(x) ? std::numeric_limits<double>::quiet_NaN() : std::copysign(0.0, q);
    }
    if (inject) q = errors.apply(q, {.ulps = 2}, x, y);
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
