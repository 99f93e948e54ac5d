// cvt between all types: integers by truncation and saturation, floating point by the rounding that
// is asked for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/vgpu/tests/cross.h"
#include "tests/vgpu/tests/reference_half.h"

namespace vgpu::testing {
namespace {

__extension__ using Wide = __int128;

template <class T>
std::string type_name() {
  if (std::is_floating_point_v<T>) return sizeof(T) == 4 ? "f32" : "f64";
  return fmt::format("{}{}", std::is_signed_v<T> ? "s" : "u", 8 * sizeof(T));
}

template <class... T>
struct TypeList {};
using Integers = TypeList<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                          std::uint32_t, std::int64_t, std::uint64_t>;

template <class... T, class F>
void for_each(TypeList<T...>, F f) {
  (f(T{}), ...);
}

TEST(ConvertIntegers, TruncatesExtendsAndSaturates) {
  for_each(Integers{}, [](auto from) {
    for_each(Integers{}, [](auto to) {
      using From = decltype(from);
      using To = decltype(to);
      const std::string types = type_name<To>() + "." + type_name<From>();
      expect_unary<To>("cvt." + types + " %d, %a;", edges<From>(),
                       [](From v) { return static_cast<To>(v); });
      expect_unary<To>("cvt.sat." + types + " %d, %a;", edges<From>(), [](From v) {
        using Limits = std::numeric_limits<To>;
        return static_cast<To>(std::clamp<Wide>(v, Limits::min(), Limits::max()));
      });
    });
  });
}

// A register wider than the type that it holds: the rest is the type's sign.
TEST(ConvertIntegers, FillsAWiderRegister) {
  const std::vector<std::uint32_t> values{0,     1,      0x7f,   0x80,      0xff,
                                          0x1ff, 0x7fff, 0x8000, 0xffffffff};
  expect_unary<std::uint32_t>("cvt.s8.s32 %d, %a;", values, [](std::uint32_t v) {
    return static_cast<std::uint32_t>(static_cast<std::int32_t>(static_cast<std::int8_t>(v)));
  });
  expect_unary<std::uint32_t>("cvt.u8.u32 %d, %a;", values,
                              [](std::uint32_t v) { return v & 0xff; });
  expect_unary<std::uint64_t>("cvt.s64.s16 %d, %a;", values, [](std::uint32_t v) {
    return static_cast<std::uint64_t>(std::int64_t{static_cast<std::int16_t>(v)});
  });
}

template <class T>
std::vector<T> reals() {
  std::vector<T> values{T(0),
                        T(0.25),
                        T(0.5),
                        T(0.75),
                        T(1),
                        T(1.5),
                        T(2.5),
                        T(126.5),
                        T(127.5),
                        T(255.5),
                        T(32767.5),
                        T(65535.5),
                        T(2147483648.0),
                        T(4294967296.0),
                        T(9223372036854775808.0),
                        T(18446744073709551616.0),
                        T(1e30),
                        std::numeric_limits<T>::denorm_min(),
                        std::numeric_limits<T>::max(),
                        std::numeric_limits<T>::infinity(),
                        T(8388607.5),
                        T(123456.789)};
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) values.push_back(-values[i]);
  return values;
}

constexpr std::pair<const char*, int> kIntegral[] = {
    {"rni", FE_TONEAREST}, {"rzi", FE_TOWARDZERO}, {"rmi", FE_DOWNWARD}, {"rpi", FE_UPWARD}};

template <class T>
T integral(T v, int mode) {
  switch (mode) {
    case FE_DOWNWARD:
      return std::floor(v);
    case FE_UPWARD:
      return std::ceil(v);
    case FE_TOWARDZERO:
      return std::trunc(v);
    default:
      break;
  }
  // Ties to even by arithmetic, not by the host's rounding mode.
  const T below = std::floor(v);
  const T part = v - below;
  if (part < T(0.5)) return below;
  if (part > T(0.5)) return below + 1;
  return std::fmod(below, T(2)) == 0 ? below : below + 1;
}

TEST(ConvertFloats, RoundsToIntegersAndSaturates) {
  for_each(TypeList<float, double>{}, [](auto from) {
    using From = decltype(from);
    for_each(Integers{}, [](auto to) {
      using To = decltype(to);
      for (const auto& [name, mode] : kIntegral) {
        expect_unary<To>(
            fmt::format("cvt.{}.{}.{} %d, %a;", name, type_name<To>(), type_name<From>()),
            reals<From>(), [m = mode](From v) {
              using Limits = std::numeric_limits<To>;
              const From whole = integral(v, m);
              if (whole >= std::ldexp(From(1), Limits::digits)) return Limits::max();
              if (whole < static_cast<From>(Limits::min())) return Limits::min();
              return static_cast<To>(whole);
            });
      }
    });
    for (const auto& [name, mode] : kIntegral) {
      expect_unary<From>(fmt::format("cvt.{0}.{1}.{1} %d, %a;", name, type_name<From>()),
                         reals<From>(),
                         [m = mode](From v) { return std::copysign(integral(v, m), v); });
    }
  });
}

// PTX: NaN becomes 0 in 32 bits and below.
TEST(ConvertFloats, TurnsNanIntoZero) {
  const std::vector<float> nan{std::numeric_limits<float>::quiet_NaN()};
  expect_unary<std::int32_t>("cvt.rzi.s32.f32 %d, %a;", nan, [](float) { return 0; });
  expect_unary<std::uint32_t>("cvt.rni.u32.f32 %d, %a;", nan, [](float) { return 0u; });
}

constexpr std::pair<const char*, int> kModes[] = {
    {"rn", FE_TONEAREST}, {"rz", FE_TOWARDZERO}, {"rm", FE_DOWNWARD}, {"rp", FE_UPWARD}};

template <class To, class From>
To host_convert(From v, int mode) {
  const int before = std::fegetround();
  std::fesetround(mode);
  volatile From x = v;
  volatile To r = static_cast<To>(x);
  std::fesetround(before);
  return r;
}

TEST(ConvertFloats, RoundsIntegersAndDoubles) {
  for_each(Integers{}, [](auto from) {
    using From = decltype(from);
    for_each(TypeList<float, double>{}, [](auto to) {
      using To = decltype(to);
      for (const auto& [name, mode] : kModes) {
        auto values = edges<From>();
        if constexpr (sizeof(From) == 8) {
          // Just beside ties of a float and of a double.
          for (const std::uint64_t v :
               {0x7fffff4000000001ULL, 0x7fffffbfffffffffULL, 0x4000004000000001ULL,
                0x7ffffffffffffe01ULL, 0x7ffffffffffffdffULL, 0x40000040000000ULL}) {
            values.push_back(static_cast<From>(v));
          }
        }
        expect_unary<To>(
            fmt::format("cvt.{}.{}.{} %d, %a;", name, type_name<To>(), type_name<From>()), values,
            [m = mode](From v) { return host_convert<To>(v, m); });
      }
    });
  });
  std::vector<double> doubles = reals<double>();
  for (const double v :
       {0.1, 1e-40, 1.7e-45, 0x1.000001p0, 0x1.0000010000001p0, 3.4028235677973366e38}) {
    doubles.push_back(v);
    doubles.push_back(-v);
  }
  for (const auto& [name, mode] : kModes) {
    expect_unary<float>(fmt::format("cvt.{}.f32.f64 %d, %a;", name), doubles,
                        [m = mode](double v) { return host_convert<float>(v, m); });
  }
  expect_unary<double>("cvt.f64.f32 %d, %a;", reals<float>(), [](float v) { return double{v}; });
  expect_unary<float>("cvt.sat.f32.f32 %d, %a;", reals<float>(),
                      [](float v) { return v > 0 ? std::min(v, 1.0f) : 0.0f; });
}

// ---- 16-bit formats ----

std::vector<std::uint16_t> all_patterns() {
  std::vector<std::uint16_t> values;
  for (std::uint32_t v = 0; v < 65536; v += 13) values.push_back(static_cast<std::uint16_t>(v));
  for (const int v : {0x0000, 0x8000, 0x7bff, 0x7c00, 0xfc00, 0x7f80, 0xff80, 0x0001, 0x03ff}) {
    values.push_back(static_cast<std::uint16_t>(v));
  }
  return values;
}

std::vector<float> near_halves(const HalfFormat& f) {
  std::vector<float> values;
  for (std::uint32_t bits = 0; bits < f.infinity(); bits += 97) {
    const double low = f.value(static_cast<std::uint16_t>(bits));
    const double high = f.value(static_cast<std::uint16_t>(bits + 1));
    const auto tie = static_cast<float>((low + high) / 2);
    for (const float v :
         {static_cast<float>(low), tie, std::nextafter(tie, 0.0f), std::nextafter(tie, INFINITY)}) {
      values.push_back(v);
      values.push_back(-v);
    }
  }
  for (const float v : {65519.0f, 65520.0f, 65536.0f, 3.4e38f, 1e-45f, INFINITY}) {
    values.push_back(v);
    values.push_back(-v);
  }
  values.push_back(NAN);
  return values;
}

TEST(ConvertHalves, WidensExactly) {
  for (const auto& [name, format] : {std::pair{"f16", kHalf}, std::pair{"bf16", kBfloat}}) {
    const HalfFormat f = format;
    expect_unary<float>(fmt::format("cvt.f32.{} %d, %a;", name), all_patterns(),
                        [&](std::uint16_t v) { return static_cast<float>(f.value(v)); });
  }
  expect_unary<double>("cvt.f64.f16 %d, %a;", all_patterns(),
                       [](std::uint16_t v) { return kHalf.value(v); });
}

TEST(ConvertHalves, RoundsToNearestEven) {
  for (const auto& [name, format] : {std::pair{"f16", kHalf}, std::pair{"bf16", kBfloat}}) {
    const HalfFormat f = format;
    const auto values = near_halves(f);
    expect_unary<std::uint16_t>(fmt::format("cvt.rn.{}.f32 %d, %a;", name), values,
                                [&](float v) { return f.round(v, std::signbit(v)); });
    // Towards zero: the nearest one, unless that is further out.
    expect_unary<std::uint16_t>(fmt::format("cvt.rz.{}.f32 %d, %a;", name), values, [&](float v) {
      std::uint16_t bits = f.round(v, std::signbit(v));
      if (std::isfinite(v) && std::abs(f.value(bits)) > std::abs(double{v})) --bits;
      return bits;
    });
    // Two floats into a pair, the first one above.
    std::vector<float> reversed(values.rbegin(), values.rend());
    std::vector<std::uint32_t> want;
    for (std::size_t i = 0; i < values.size(); ++i) {
      want.push_back(static_cast<std::uint32_t>(f.round(values[i], std::signbit(values[i]))) << 16 |
                     f.round(reversed[i], std::signbit(reversed[i])));
    }
    expect_values<std::uint32_t>(fmt::format("cvt.rn.{}x2.f32 %d, %a, %b;", name), want, false,
                                 values, reversed);
    for (auto& w : want) {  // .relu: negative numbers become +0
      if ((w & 0x80000000) != 0) w &= 0xffff;
      if ((w & 0x8000) != 0) w &= 0xffff0000;
    }
    expect_values<std::uint32_t>(fmt::format("cvt.rn.relu.{}x2.f32 %d, %a, %b;", name), want, false,
                                 values, reversed);
  }
  const std::vector<std::int32_t> integers{0,    1,     -1,    2047,   2048,      2049,
                                           2051, 65519, 65520, -65520, INT32_MAX, INT32_MIN};
  expect_unary<std::uint16_t>("cvt.rn.f16.s32 %d, %a;", integers,
                              [](std::int32_t v) { return kHalf.round(v); });
  expect_unary<std::int32_t>(
      "cvt.rni.s32.f16 %d, %a;",
      std::vector<std::uint16_t>{0, 0x3800, 0x3e00, 0x4100, 0xc100, 0x7bff, 0x7c00, 0xfc00},
      [](std::uint16_t v) {
        const double x = kHalf.value(v);
        if (std::isinf(x)) return x > 0 ? INT32_MAX : INT32_MIN;
        return static_cast<std::int32_t>(integral(x, FE_TONEAREST));
      });
}

TEST(ConvertTf32, RoundsTiesAwayFromZero) {
  std::vector<float> values{0,
                            -0.0f,
                            1,
                            1.0f + 0x1p-11f,
                            1.0f + 0x1p-11f - 0x1p-23f,
                            1.0f + 3 * 0x1p-11f,
                            3.14159f,
                            -2.71828f,
                            1e30f,
                            1e-38f,
                            INFINITY};
  expect_unary<std::uint32_t>("cvt.rna.tf32.f32 %d, %a;", values, [](float v) {
    const auto bits = std::bit_cast<std::uint32_t>(v);
    if (std::isinf(v)) return bits;
    return (bits + 0x1000) & 0xffffe000;
  });
}

}  // namespace
}  // namespace vgpu::testing
