// f16 and bf16 arithmetic, alone and in pairs, against sums and products in quadruple precision
// rounded by search.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/vgpu/tests/cross.h"
#include "tests/vgpu/tests/reference_half.h"

namespace vgpu::testing {
namespace {

struct Format {
  std::string name;
  HalfFormat format;
  std::vector<std::uint16_t> values;
};

// Both formats' zeros, ones, denormals, limits, infinities and NaNs, and values whose products and
// sums are ties. Products stay within what quadruple precision adds exactly.
const std::vector<Format>& formats() {
  static const std::vector<Format> list{
      {"f16", kHalf, {0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x0400, 0x8400, 0x3c00,
                      0xbc00, 0x3c01, 0x3555, 0x4000, 0x4248, 0x7bff, 0xfbff, 0x7800,
                      0x7c00, 0xfc00, 0x7e00, 0x1000, 0x6400, 0x6801, 0x1234, 0xb123}},
      {"bf16",
       kBfloat,
       {0x0000, 0x8000, 0x3f80, 0xbf80, 0x3f81, 0x3eab, 0x4000, 0x4049, 0x7f80, 0xff80, 0x7fc0,
        0x3000, 0x4b80, 0x4b81, 0x2f12, 0xb923, 0x4300, 0xc2ff}},
  };
  return list;
}

bool negative(std::uint16_t v) { return (v & 0x8000) != 0; }

// With the sign that an exact zero has.
std::uint16_t sum(const HalfFormat& f, std::uint16_t a, std::uint16_t b) {
  return f.round(Quad{f.value(a)} + f.value(b), negative(a) && negative(b));
}
std::uint16_t product(const HalfFormat& f, std::uint16_t a, std::uint16_t b) {
  return f.round(Quad{f.value(a)} * f.value(b), negative(a) != negative(b));
}
std::uint16_t fused(const HalfFormat& f, std::uint16_t a, std::uint16_t b, std::uint16_t c) {
  return f.round(Quad{f.value(a)} * f.value(b) + f.value(c),
                 negative(a) != negative(b) && negative(c));
}

TEST(Half, RoundsSumsProductsAndFusedProducts) {
  for (const Format& x : formats()) {
    const HalfFormat& f = x.format;
    expect_binary<std::uint16_t>(fmt::format("add.{} %d, %a, %b;", x.name), x.values, x.values,
                                 [&](auto a, auto b) { return sum(f, a, b); });
    expect_binary<std::uint16_t>(
        fmt::format("sub.{} %d, %a, %b;", x.name), x.values, x.values,
        [&](auto a, auto b) { return sum(f, a, static_cast<std::uint16_t>(b ^ 0x8000)); });
    expect_binary<std::uint16_t>(fmt::format("mul.{} %d, %a, %b;", x.name), x.values, x.values,
                                 [&](auto a, auto b) { return product(f, a, b); });
    expect_ternary<std::uint16_t>(fmt::format("fma.rn.{} %d, %a, %b, %c;", x.name), x.values,
                                  x.values, x.values,
                                  [&](auto a, auto b, auto c) { return fused(f, a, b, c); });
    expect_ternary<std::uint16_t>(fmt::format("fma.rn.relu.{} %d, %a, %b, %c;", x.name), x.values,
                                  x.values, x.values, [&](auto a, auto b, auto c) {
                                    const std::uint16_t v = fused(f, a, b, c);
                                    return v != 0x7fff && negative(v) ? std::uint16_t{0} : v;
                                  });
  }
}

TEST(Half, WorksOnPairs) {
  for (const Format& x : formats()) {
    const HalfFormat& f = x.format;
    std::vector<std::uint32_t> pairs;
    for (std::size_t i = 0; i < x.values.size(); ++i) {
      pairs.push_back(static_cast<std::uint32_t>(x.values[i]) << 16 |
                      x.values[(5 * i + 3) % x.values.size()]);
    }
    const auto each = [](auto g) {
      return [=](auto... operands) {
        const std::uint32_t low = g(static_cast<std::uint16_t>(operands)...);
        const std::uint32_t high = g(static_cast<std::uint16_t>(operands >> 16)...);
        return high << 16 | low;
      };
    };
    expect_binary<std::uint32_t>(fmt::format("add.{}x2 %d, %a, %b;", x.name), pairs, pairs,
                                 each([&](auto a, auto b) { return sum(f, a, b); }));
    expect_binary<std::uint32_t>(fmt::format("mul.{}x2 %d, %a, %b;", x.name), pairs, pairs,
                                 each([&](auto a, auto b) { return product(f, a, b); }));
    expect_ternary<std::uint32_t>(fmt::format("fma.rn.{}x2 %d, %a, %b, %c;", x.name), pairs, pairs,
                                  pairs,
                                  each([&](auto a, auto b, auto c) { return fused(f, a, b, c); }));
    expect_unary<std::uint32_t>(fmt::format("neg.{}x2 %d, %a;", x.name), pairs,
                                [](std::uint32_t a) { return a ^ 0x80008000; });
    expect_unary<std::uint32_t>(fmt::format("abs.{}x2 %d, %a;", x.name), pairs,
                                [](std::uint32_t a) { return a & 0x7fff7fff; });
  }
}

TEST(Half, ChoosesMinimumAndMaximum) {
  for (const Format& x : formats()) {
    const HalfFormat& f = x.format;
    const auto is_nan = [&](std::uint16_t v) { return f.value(v) != f.value(v); };
    const auto less = [&](std::uint16_t a, std::uint16_t b) {
      return f.value(a) < f.value(b) || (f.value(a) == f.value(b) && negative(a) && !negative(b));
    };
    for (const bool propagate : {false, true}) {
      const auto chosen = [&](std::uint16_t a, std::uint16_t b, bool take_a) -> std::uint16_t {
        if (is_nan(a) && is_nan(b)) return 0x7fff;
        if (is_nan(a)) return propagate ? std::uint16_t{0x7fff} : b;
        if (is_nan(b)) return propagate ? std::uint16_t{0x7fff} : a;
        return take_a ? a : b;
      };
      const char* mode = propagate ? ".NaN" : "";
      expect_binary<std::uint16_t>(fmt::format("min{}.{} %d, %a, %b;", mode, x.name), x.values,
                                   x.values,
                                   [&](auto a, auto b) { return chosen(a, b, less(a, b)); });
      expect_binary<std::uint16_t>(fmt::format("max{}.{} %d, %a, %b;", mode, x.name), x.values,
                                   x.values,
                                   [&](auto a, auto b) { return chosen(a, b, less(b, a)); });
    }
  }
}

TEST(Half, Compares) {
  for (const Format& x : formats()) {
    const HalfFormat& f = x.format;
    const auto compared = [&](const char* how, auto test) {
      expect_binary<std::uint32_t>(
          fmt::format("setp.{}.{} %q0, %a, %b; selp.b32 %d, 1, 0, %q0;", how, x.name), x.values,
          x.values, [&](auto a, auto b) { return test(f.value(a), f.value(b)) ? 1u : 0u; });
    };
    compared("eq", [](double a, double b) { return a == b; });
    compared("lt", [](double a, double b) { return a < b; });
    compared("gtu", [](double a, double b) { return !(a <= b); });
    compared("nan", [](double a, double b) { return a != a || b != b; });
  }
}

}  // namespace
}  // namespace vgpu::testing
