// Integer arithmetic: wrapping, high halves, division, carries, saturation, against 128-bit
// arithmetic of the host.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/vgpu/tests/cross.h"

namespace vgpu::testing {
namespace {

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

template <class T>
std::string type_name() {
  return fmt::format("{}{}", std::is_signed_v<T> ? "s" : "u", 8 * sizeof(T));
}

template <class T>
class Integer : public ::testing::Test {};
using Types = ::testing::Types<std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                               std::uint64_t, std::int64_t>;
TYPED_TEST_SUITE(Integer, Types);

TYPED_TEST(Integer, AddsSubtractsAndMultipliesModuloTheWidth) {
  using T = TypeParam;
  const std::string t = type_name<T>();
  const auto values = edges<T>();
  // Modulo 2^128 first, which loses nothing.
  const auto wide = [](T v) { return static_cast<UnsignedWide>(Wide{v}); };
  expect_binary<T>("add." + t + " %d, %a, %b;", values, values,
                   [&](T a, T b) { return static_cast<T>(wide(a) + wide(b)); });
  expect_binary<T>("sub." + t + " %d, %a, %b;", values, values,
                   [&](T a, T b) { return static_cast<T>(wide(a) - wide(b)); });
  expect_binary<T>("mul.lo." + t + " %d, %a, %b;", values, values,
                   [&](T a, T b) { return static_cast<T>(wide(a) * wide(b)); });
  expect_binary<T>("mul.hi." + t + " %d, %a, %b;", values, values, [&](T a, T b) {
    const UnsignedWide product = wide(a) * wide(b);
    // A signed product of 64-bit numbers fits into 128 bits.
    return static_cast<T>(std::is_signed_v<T> ? static_cast<UnsignedWide>(
                                                    static_cast<Wide>(product) >> (8 * sizeof(T)))
                                              : product >> (8 * sizeof(T)));
  });
  expect_ternary<T>("mad.lo." + t + " %d, %a, %b, %c;", values, values, values,
                    [&](T a, T b, T c) { return static_cast<T>(wide(a) * wide(b) + wide(c)); });
}

TYPED_TEST(Integer, DividesTowardsZero) {
  using T = TypeParam;
  const std::string t = type_name<T>();
  const auto values = edges<T>();
  std::vector<T> divisors;
  std::copy_if(values.begin(), values.end(), std::back_inserter(divisors),
               [](T v) { return v != 0; });
  // The smallest number over -1 overflows, and wraps to itself with remainder 0.
  expect_binary<T>("div." + t + " %d, %a, %b;", values, divisors,
                   [](T a, T b) { return static_cast<T>(Wide{a} / b); });
  expect_binary<T>("rem." + t + " %d, %a, %b;", values, divisors,
                   [](T a, T b) { return static_cast<T>(Wide{a} % b); });
}

TYPED_TEST(Integer, ComparesAndChooses) {
  using T = TypeParam;
  const std::string t = type_name<T>();
  const auto values = edges<T>();
  expect_binary<T>("min." + t + " %d, %a, %b;", values, values,
                   [](T a, T b) { return std::min(a, b); });
  expect_binary<T>("max." + t + " %d, %a, %b;", values, values,
                   [](T a, T b) { return std::max(a, b); });
  const auto compared = [&](const std::string& how, auto f) {
    expect_binary<std::uint32_t>(
        fmt::format("setp.{}.{} %q0, %a, %b; selp.b32 %d, 1, 0, %q0;", how, t), values, values,
        [&](T a, T b) { return f(a, b) ? 1u : 0u; });
  };
  compared("eq", [](T a, T b) { return a == b; });
  compared("ne", [](T a, T b) { return a != b; });
  compared("lt", [](T a, T b) { return a < b; });
  compared("le", [](T a, T b) { return a <= b; });
  compared("gt", [](T a, T b) { return a > b; });
  compared("ge", [](T a, T b) { return a >= b; });
  if constexpr (std::is_signed_v<T>) {
    expect_unary<T>("abs." + t + " %d, %a;", values,
                    [](T a) { return static_cast<T>(a < 0 ? -Wide{a} : Wide{a}); });
    expect_unary<T>("neg." + t + " %d, %a;", values, [](T a) { return static_cast<T>(-Wide{a}); });
  }
}

TYPED_TEST(Integer, ShiftsPastTheWidth) {
  using T = TypeParam;
  const auto values = edges<T>();
  const std::vector<std::uint32_t> shifts{0,  1,  7,  15, 16,  17,  31,         32,
                                          33, 63, 64, 65, 255, 256, 0x80000000, 0xffffffff};
  constexpr std::uint32_t kWidth = 8 * sizeof(T);
  expect_binary<T>(fmt::format("shl.b{} %d, %a, %b;", kWidth), values, shifts,
                   [](T a, std::uint32_t n) {
                     using U = std::make_unsigned_t<T>;
                     return n >= kWidth ? T{0} : static_cast<T>(static_cast<U>(a) << n);
                   });
  // A signed shift past the width leaves the sign.
  expect_binary<T>(
      "shr." + type_name<T>() + " %d, %a, %b;", values, shifts,
      [&](T a, std::uint32_t n) { return static_cast<T>(Wide{a} >> std::min(n, kWidth)); });
}

TEST(IntegerWide, MultipliesIntoTwiceTheWidth) {
  const auto check = [](auto narrow, auto wide) {
    using N = decltype(narrow);
    using W = decltype(wide);
    const auto values = edges<N>();
    expect_binary<W>("mul.wide." + type_name<N>() + " %d, %a, %b;", values, values,
                     [](N a, N b) { return static_cast<W>(Wide{a} * b); });
    expect_ternary<W>("mad.wide." + type_name<N>() + " %d, %a, %b, %c;", values, values, edges<W>(),
                      [](N a, N b, W c) {
                        return static_cast<W>(static_cast<UnsignedWide>(Wide{a} * b) +
                                              static_cast<UnsignedWide>(c));
                      });
  };
  check(std::uint16_t{}, std::uint32_t{});
  check(std::int16_t{}, std::int32_t{});
  check(std::uint32_t{}, std::uint64_t{});
  check(std::int32_t{}, std::int64_t{});
}

TEST(IntegerCarry, RunsThroughChains) {
  const auto check = [](auto zero) {
    using T = decltype(zero);
    constexpr int kWidth = 8 * sizeof(T);
    const auto values = edges<T>();
    const std::string u = type_name<T>();
    // Low words in a and b; the carry alone in the next word.
    expect_binary<T>(fmt::format("add.cc.{0} %d, %a, %b; addc.{0} %d, 0, 0;", u), values, values,
                     [](T a, T b) { return static_cast<T>((UnsignedWide{a} + b) >> kWidth); });
    expect_binary<T>(fmt::format("sub.cc.{0} %d, %a, %b; subc.{0} %d, 0, 0;", u), values, values,
                     [](T a, T b) { return a < b ? static_cast<T>(-1) : T{0}; });
    // A carry through a word of all ones: a + b, then max + 0 + carry, then 0 + 0 + carry.
    expect_binary<T>(
        fmt::format("add.cc.{0} %d, %a, %b; addc.cc.{0} %d, {1}, 0; addc.{0} %d, 0, 0;", u,
                    std::numeric_limits<T>::max()),
        values, values, [](T a, T b) { return static_cast<T>((UnsignedWide{a} + b) >> kWidth); });
  };
  check(std::uint32_t{});
  check(std::uint64_t{});
  const auto values = edges<std::uint32_t>();
  // 64-bit product and sum from 32-bit pieces: the carry of mad.lo.cc into madc.hi.
  expect_ternary<std::uint32_t>(
      "mad.lo.cc.u32 %d, %a, %b, %c; madc.hi.u32 %d, %a, %b, 0;", values, values, values,
      [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
        return static_cast<std::uint32_t>((std::uint64_t{a} * b + c) >> 32);
      });
}

TEST(IntegerSaturation, ClampsSums) {
  const auto values = edges<std::int32_t>();
  const auto clamp = [](std::int64_t v) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(v, INT32_MIN, INT32_MAX));
  };
  expect_binary<std::int32_t>(
      "add.sat.s32 %d, %a, %b;", values, values,
      [&](std::int32_t a, std::int32_t b) { return clamp(std::int64_t{a} + b); });
  expect_binary<std::int32_t>(
      "sub.sat.s32 %d, %a, %b;", values, values,
      [&](std::int32_t a, std::int32_t b) { return clamp(std::int64_t{a} - b); });
  expect_ternary<std::int32_t>("mad.hi.sat.s32 %d, %a, %b, %c;", values, values, values,
                               [&](std::int32_t a, std::int32_t b, std::int32_t c) {
                                 return clamp(((std::int64_t{a} * b) >> 32) + c);
                               });
}

TEST(Integer24, MultipliesLow24Bits) {
  const auto values = edges<std::int32_t>();
  const auto low = [](std::int32_t v) {
    return std::int64_t{static_cast<std::int32_t>(static_cast<std::uint32_t>(v) << 8) >> 8};
  };
  expect_binary<std::int32_t>(
      "mul24.lo.s32 %d, %a, %b;", values, values,
      [&](std::int32_t a, std::int32_t b) { return static_cast<std::int32_t>(low(a) * low(b)); });
  const auto unsigneds = edges<std::uint32_t>();
  expect_binary<std::uint32_t>(
      "mul24.lo.u32 %d, %a, %b;", unsigneds, unsigneds, [](std::uint32_t a, std::uint32_t b) {
        return static_cast<std::uint32_t>(std::uint64_t{a & 0xffffff} * (b & 0xffffff));
      });
}

TEST(IntegerSad, AddsAbsoluteDifferences) {
  const auto values = edges<std::int32_t>();
  expect_ternary<std::int32_t>(
      "sad.s32 %d, %a, %b, %c;", values, values, values,
      [](std::int32_t a, std::int32_t b, std::int32_t c) {
        const std::int64_t difference = std::int64_t{a} - b;
        return static_cast<std::int32_t>(c + (difference < 0 ? -difference : difference));
      });
  const auto unsigneds = edges<std::uint32_t>();
  expect_ternary<std::uint32_t>("sad.u32 %d, %a, %b, %c;", unsigneds, unsigneds, unsigneds,
                                [](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                                  return c + (a < b ? b - a : a - b);
                                });
}

// Four products of bytes, or two of halves with bytes, and an addend.
TEST(IntegerDot, SumsProductsOfParts) {
  const auto values = edges<std::uint32_t>();
  const auto byte = [](std::uint32_t v, int i, bool is_signed) {
    const std::uint32_t b = (v >> (8 * i)) & 0xff;
    return is_signed ? std::int64_t{static_cast<std::int8_t>(b)} : std::int64_t{b};
  };
  const auto half = [](std::uint32_t v, int i, bool is_signed) {
    const std::uint32_t h = (v >> (16 * i)) & 0xffff;
    return is_signed ? std::int64_t{static_cast<std::int16_t>(h)} : std::int64_t{h};
  };
  for (const bool a_signed : {false, true}) {
    for (const bool b_signed : {false, true}) {
      const std::string types =
          fmt::format("{}32.{}32", a_signed ? "s" : "u", b_signed ? "s" : "u");
      expect_ternary<std::uint32_t>(fmt::format("dp4a.{} %d, %a, %b, %c;", types), values, values,
                                    values, [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
                                      std::int64_t sum = c;
                                      for (int i = 0; i < 4; ++i)
                                        sum += byte(a, i, a_signed) * byte(b, i, b_signed);
                                      return static_cast<std::uint32_t>(sum);
                                    });
      for (const int high : {0, 1}) {
        expect_ternary<std::uint32_t>(
            fmt::format("dp2a.{}.{} %d, %a, %b, %c;", high != 0 ? "hi" : "lo", types), values,
            values, values, [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
              std::int64_t sum = c;
              for (int i = 0; i < 2; ++i) {
                sum += half(a, i, a_signed) * byte(b, 2 * high + i, b_signed);
              }
              return static_cast<std::uint32_t>(sum);
            });
      }
    }
  }
}

}  // namespace
}  // namespace vgpu::testing
