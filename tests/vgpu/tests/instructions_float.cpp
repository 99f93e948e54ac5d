// Floating-point arithmetic, comparisons and the approximate functions. float and double are
// compared with the host's own in each rounding mode; approximations with double, within the error
// that PTX states.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cfenv>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/vgpu/tests/cross.h"

namespace vgpu::testing {
namespace {

template <class T>
std::vector<T> float_edges() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values{T(0),
                        T(1),
                        T(0.1),
                        T(1) / T(3),
                        T(3.14159265358979),
                        T(1) + Limits::epsilon(),
                        T(2) - Limits::epsilon(),
                        T(16777217),
                        T(-0.75),
                        Limits::denorm_min(),
                        Limits::min() - Limits::denorm_min(),
                        Limits::min(),
                        Limits::min() * T(1.5),
                        Limits::max(),
                        Limits::max() / 3,
                        std::ldexp(T(1.37), -60),
                        std::ldexp(T(1.71), 70),
                        Limits::infinity(),
                        Limits::quiet_NaN()};
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  return values;
}

template <class T>
std::string type_name() {
  return sizeof(T) == 4 ? "f32" : "f64";
}

// Runs f in a rounding mode of the host; what it takes and gives must be volatile.
template <class F>
auto rounded(int mode, F f) {
  const int before = std::fegetround();
  std::fesetround(mode);
  const auto result = f();
  std::fesetround(before);
  return result;
}

constexpr std::pair<const char*, int> kModes[] = {
    {"rn", FE_TONEAREST}, {"rz", FE_TOWARDZERO}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}};

template <class T>
class Float : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Float, Types);

TYPED_TEST(Float, RoundsArithmeticInEachMode) {
  using T = TypeParam;
  const auto values = float_edges<T>();
  const std::string t = type_name<T>();
  for (const auto& [name, mode] : kModes) {
    const auto op = [&, m = mode](auto f) {
      return [=](auto... xs) { return rounded(m, [&] { return f(xs...); }); };
    };
    const std::string suffix = fmt::format(".{}.{} %d, %a, %b", name, t);
    using V = volatile T;
    expect_binary<T>("add" + suffix + ";", values, values, op([](T a, T b) {
                       V x = a, y = b, r = x + y;
                       return T(r);
                     }));
    expect_binary<T>("sub" + suffix + ";", values, values, op([](T a, T b) {
                       V x = a, y = b, r = x - y;
                       return T(r);
                     }));
    expect_binary<T>("mul" + suffix + ";", values, values, op([](T a, T b) {
                       V x = a, y = b, r = x * y;
                       return T(r);
                     }));
    expect_binary<T>("div" + suffix + ";", values, values, op([](T a, T b) {
                       V x = a, y = b, r = x / y;
                       return T(r);
                     }));
    expect_ternary<T>("fma" + suffix + ", %c;", values, values, values, op([](T a, T b, T c) {
                        V x = a, y = b, z = c, r = std::fma(T(x), T(y), T(z));
                        return T(r);
                      }));
    expect_unary<T>(fmt::format("sqrt.{}.{} %d, %a;", name, t), values, op([](T a) {
                      V x = a, r = std::sqrt(T(x));
                      return T(r);
                    }));
    expect_unary<T>(fmt::format("rcp.{}.{} %d, %a;", name, t), values, op([](T a) {
                      V x = a, r = T(1) / x;
                      return T(r);
                    }));
  }
}

float flushed(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v; }
// .sat: NaN becomes +0.
float saturated(float v) { return v > 0 ? (v < 1 ? v : 1) : 0.0f; }

TEST(FloatModes, FlushDenormalsAndSaturate) {
  const auto values = float_edges<float>();
  expect_binary<float>("add.ftz.f32 %d, %a, %b;", values, values,
                       [](float a, float b) { return flushed(flushed(a) + flushed(b)); });
  expect_binary<float>("mul.ftz.f32 %d, %a, %b;", values, values,
                       [](float a, float b) { return flushed(flushed(a) * flushed(b)); });
  expect_ternary<float>("fma.rn.ftz.f32 %d, %a, %b, %c;", values, values, values,
                        [](float a, float b, float c) {
                          return flushed(std::fma(flushed(a), flushed(b), flushed(c)));
                        });
  expect_binary<float>("div.rn.ftz.f32 %d, %a, %b;", values, values,
                       [](float a, float b) { return flushed(flushed(a) / flushed(b)); });
  expect_unary<float>("sqrt.rn.ftz.f32 %d, %a;", values,
                      [](float a) { return flushed(std::sqrt(flushed(a))); });
  expect_binary<float>("add.sat.f32 %d, %a, %b;", values, values,
                       [](float a, float b) { return saturated(a + b); });
  expect_binary<float>("mul.sat.f32 %d, %a, %b;", values, values,
                       [](float a, float b) { return saturated(a * b); });
  expect_ternary<float>("fma.rn.sat.f32 %d, %a, %b, %c;", values, values, values,
                        [](float a, float b, float c) { return saturated(std::fma(a, b, c)); });
  expect_unary<float>("abs.ftz.f32 %d, %a;", values, [](float a) { return flushed(std::abs(a)); });
  expect_unary<float>("neg.ftz.f32 %d, %a;", values, [](float a) { return flushed(-a); });
}

TYPED_TEST(Float, ChoosesMinimumAndMaximum) {
  using T = TypeParam;
  const auto values = float_edges<T>();
  const std::string t = type_name<T>();
  // A NaN gives way to a number, and -0 is less than +0.
  const auto less = [](T a, T b) {
    return a < b || (a == b && std::signbit(a) && !std::signbit(b));
  };
  expect_binary<T>("min." + t + " %d, %a, %b;", values, values, [&](T a, T b) {
    if (std::isnan(a)) return b;
    return std::isnan(b) || less(a, b) ? a : b;
  });
  expect_binary<T>("max." + t + " %d, %a, %b;", values, values, [&](T a, T b) {
    if (std::isnan(a)) return b;
    return std::isnan(b) || less(b, a) ? a : b;
  });
  if constexpr (sizeof(T) == 4) {
    expect_binary<T>("min.NaN.f32 %d, %a, %b;", values, values, [&](T a, T b) {
      if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
      return less(a, b) ? a : b;
    });
    expect_binary<T>("max.NaN.f32 %d, %a, %b;", values, values, [&](T a, T b) {
      if (std::isnan(a) || std::isnan(b)) return std::numeric_limits<T>::quiet_NaN();
      return less(b, a) ? a : b;
    });
    expect_binary<T>("min.ftz.f32 %d, %a, %b;", values, values, [&](T x, T y) {
      const T a = flushed(x);
      const T b = flushed(y);
      if (std::isnan(a)) return b;
      return std::isnan(b) || less(a, b) ? a : b;
    });
  }
}

TEST(FloatNan, IsCanonicalWhereBothAreNan) {
  for (const char* opcode : {"min.f32", "max.f32", "min.NaN.f32", "add.f32", "mul.f32"}) {
    expect_unary<std::uint32_t>(fmt::format("{} %d, %a, %a;", opcode),
                                std::vector<float>{std::bit_cast<float>(0x7fc12345U)},
                                [](float) { return 0x7fffffffU; });
  }
}

TYPED_TEST(Float, ComparesWithNan) {
  using T = TypeParam;
  const auto values = float_edges<T>();
  const auto compared = [&](const std::string& how, auto f) {
    expect_binary<std::uint32_t>(
        fmt::format("setp.{}.{} %q0, %a, %b; selp.b32 %d, 1, 0, %q0;", how, type_name<T>()), values,
        values, [&](T a, T b) { return f(a, b) ? 1u : 0u; });
  };
  const auto unordered = [](T a, T b) { return std::isnan(a) || std::isnan(b); };
  compared("eq", [](T a, T b) { return a == b; });
  compared("ne", [&](T a, T b) { return a != b && !unordered(a, b); });
  compared("lt", [](T a, T b) { return a < b; });
  compared("le", [](T a, T b) { return a <= b; });
  compared("gt", [](T a, T b) { return a > b; });
  compared("ge", [](T a, T b) { return a >= b; });
  compared("equ", [&](T a, T b) { return a == b || unordered(a, b); });
  compared("neu", [](T a, T b) { return a != b; });
  compared("ltu", [](T a, T b) { return !(a >= b); });
  compared("leu", [](T a, T b) { return !(a > b); });
  compared("gtu", [](T a, T b) { return !(a <= b); });
  compared("geu", [](T a, T b) { return !(a < b); });
  compared("num", [&](T a, T b) { return !unordered(a, b); });
  compared("nan", unordered);
}

TEST(FloatCompare, CombinesWithAPredicateAndGivesBothResults) {
  const auto values = float_edges<float>();
  const std::vector<std::uint32_t> flags{0, 1};
  // Bit 0: the result; bit 1: the result of the negated comparison, likewise combined.
  const auto combined = [&](const std::string& how, auto f) {
    expect_ternary<std::uint32_t>(
        fmt::format("setp.ne.u32 %q2, %c, 0; setp.lt.{}.f32 %q0|%q1, %a, %b, %q2; "
                    "selp.b32 %t1, 1, 0, %q0; selp.b32 %t2, 2, 0, %q1; or.b32 %d, %t1, %t2;",
                    how),
        values, values, flags, [&](float a, float b, std::uint32_t c) {
          const bool less = a < b;
          return (f(less, c != 0) ? 1u : 0u) | (f(!less, c != 0) ? 2u : 0u);
        });
  };
  combined("and", [](bool x, bool y) { return x && y; });
  combined("or", [](bool x, bool y) { return x || y; });
  combined("xor", [](bool x, bool y) { return x != y; });
  expect_binary<std::uint32_t>("set.gt.u32.f32 %d, %a, %b;", values, values,
                               [](float a, float b) { return a > b ? 0xffffffffu : 0u; });
  expect_binary<float>("set.gt.f32.f32 %d, %a, %b;", values, values,
                       [](float a, float b) { return a > b ? 1.0f : 0.0f; });
}

TEST(FloatSigns, SelectsCopiesAndTests) {
  const auto values = float_edges<float>();
  expect_binary<float>(
      "copysign.f32 %d, %a, %b;", values, values,
      [](float a, float b) { return std::copysign(b, a); }, true);
  // %c holds what decides: a NaN takes the second.
  expect_ternary<float>("slct.f32.f32 %d, %a, %b, %c;", std::vector<float>{1, 2},
                        std::vector<float>{3, 4}, values,
                        [](float a, float b, float c) { return c >= 0 ? a : b; });
  expect_ternary<std::uint32_t>(
      "slct.u32.s32 %d, %a, %b, %c;", std::vector<std::uint32_t>{1, 2},
      std::vector<std::uint32_t>{3, 4}, edges<std::int32_t>(),
      [](std::uint32_t a, std::uint32_t b, std::int32_t c) { return c >= 0 ? a : b; });
  const auto tested = [&](const std::string& what, auto f) {
    expect_unary<std::uint32_t>(fmt::format("testp.{}.f32 %q0, %a; selp.b32 %d, 1, 0, %q0;", what),
                                values, [&](float a) { return f(a) ? 1u : 0u; });
  };
  tested("finite", [](float a) { return std::isfinite(a); });
  tested("infinite", [](float a) { return std::isinf(a); });
  tested("number", [](float a) { return !std::isnan(a); });
  tested("notanumber", [](float a) { return std::isnan(a); });
  tested("normal", [](float a) { return std::isnormal(a); });
  tested("subnormal", [](float a) { return std::fpclassify(a) == FP_SUBNORMAL; });
}

// ---- approximate functions ----

// Within `relative` of the right value times its magnitude, or `absolute`; special values exact.
struct Bound {
  double relative = 0, absolute = 0;
};

template <class F>
void expect_near(const std::string& statement, const std::vector<float>& inputs, Bound bound, F f) {
  const auto got = evaluate<float>(statement, inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double want = f(static_cast<double>(inputs[i]));
    const double limit = bound.absolute + bound.relative * std::abs(want);
    const bool ok = want != want               ? got[i] != got[i]
                    : std::isinf(want)         ? got[i] == want
                    : std::abs(want) > FLT_MAX ? std::isinf(got[i])
                                               : std::abs(got[i] - want) <= limit;
    EXPECT_TRUE(ok) << statement << " of " << inputs[i] << " gives " << got[i] << ", not " << want;
  }
}

std::vector<float> between(float low, float high) {
  std::vector<float> values;
  for (int i = 0; i <= 200; ++i) values.push_back(low + (high - low) * static_cast<float>(i) / 200);
  return values;
}

constexpr double kUlp = 0x1p-23;

TEST(FloatApproximate, StaysWithinTheStatedErrors) {
  expect_near("ex2.approx.f32 %d, %a;", between(-120, 120), {0x1p-22},
              [](double x) { return std::exp2(x); });
  expect_near("lg2.approx.f32 %d, %a;", between(0.51f, 1.99f), {0, 0x1p-22},
              [](double x) { return std::log2(x); });
  expect_near("lg2.approx.f32 %d, %a;", between(3, 1e20f), {0x1p-22},
              [](double x) { return std::log2(x); });
  expect_near("sin.approx.f32 %d, %a;", between(-3.14f, 3.14f), {0, 0x1p-20},
              [](double x) { return std::sin(x); });
  expect_near("cos.approx.f32 %d, %a;", between(-3.14f, 3.14f), {0, 0x1p-20},
              [](double x) { return std::cos(x); });
  expect_near("tanh.approx.f32 %d, %a;", between(-9, 9), {0x1p-10},
              [](double x) { return std::tanh(x); });
  expect_near("rcp.approx.f32 %d, %a;", between(1e-30f, 1e30f), {kUlp},
              [](double x) { return 1 / x; });
  expect_near("rsqrt.approx.f32 %d, %a;", between(1e-30f, 1e30f), {0x1p-22},
              [](double x) { return 1 / std::sqrt(x); });
  expect_near("sqrt.approx.f32 %d, %a;", between(0, 1e30f), {0x1p-22},
              [](double x) { return std::sqrt(x); });
  const std::vector<float> a = between(-1e15f, 1e15f);
  const std::vector<float> b = between(1e-20f, 1e10f);
  for (const char* how : {"approx", "full"}) {
    const auto got = evaluate<float>(fmt::format("div.{}.f32 %d, %a, %b;", how), a, b);
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double want = static_cast<double>(a[i]) / b[i];
      EXPECT_LE(std::abs(got[i] - want), 2 * kUlp * std::abs(want)) << a[i] << " / " << b[i];
    }
  }
}

TEST(FloatApproximate, GivesTheManualsSpecialValues) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kTiny = 1e-40f;  // denormal
  const auto special = [](const std::string& opcode,
                          const std::vector<std::pair<float, float>>& rows) {
    std::vector<float> inputs;
    inputs.reserve(rows.size());
    for (const auto& row : rows) inputs.push_back(row.first);
    std::size_t i = 0;
    expect_unary<float>(opcode + " %d, %a;", inputs, [&](float) { return rows[i++].second; });
  };
  special("ex2.approx.f32", {{-kInfinity, 0.0f},
                             {-0.0f, 1},
                             {0.0f, 1},
                             {kInfinity, kInfinity},
                             {kNan, kNan},
                             {kTiny, 1}});
  special("lg2.approx.f32", {{-kInfinity, kNan},
                             {-1, kNan},
                             {-0.0f, -kInfinity},
                             {0.0f, -kInfinity},
                             {kInfinity, kInfinity},
                             {kNan, kNan},
                             {1, 0}});
  special("lg2.approx.ftz.f32", {{kTiny, -kInfinity}, {-kTiny, -kInfinity}});
  special("rcp.approx.f32", {{-kInfinity, -0.0f},
                             {-0.0f, -kInfinity},
                             {0.0f, kInfinity},
                             {kInfinity, 0.0f},
                             {kNan, kNan}});
  special("rcp.approx.ftz.f32", {{kTiny, kInfinity}, {-kTiny, -kInfinity}});
  special("rsqrt.approx.f32", {{-kInfinity, kNan},
                               {-1, kNan},
                               {-0.0f, -kInfinity},
                               {0.0f, kInfinity},
                               {kInfinity, 0.0f},
                               {kNan, kNan}});
  special("sqrt.approx.f32", {{-kInfinity, kNan},
                              {-1, kNan},
                              {-0.0f, -0.0f},
                              {0.0f, 0.0f},
                              {kInfinity, kInfinity},
                              {kNan, kNan}});
  special("sin.approx.f32",
          {{-kInfinity, kNan}, {-0.0f, -0.0f}, {0.0f, 0.0f}, {kInfinity, kNan}, {kNan, kNan}});
  special("cos.approx.f32",
          {{-kInfinity, kNan}, {-0.0f, 1}, {0.0f, 1}, {kInfinity, kNan}, {kNan, kNan}});
  special("tanh.approx.f32",
          {{-kInfinity, -1}, {-0.0f, -0.0f}, {0.0f, 0.0f}, {kInfinity, 1}, {kNan, kNan}});
}

}  // namespace
}  // namespace vgpu::testing
