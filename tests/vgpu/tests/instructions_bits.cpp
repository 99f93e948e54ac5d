// Instructions on bits, against loops over single bits.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/vgpu/tests/cross.h"

namespace vgpu::testing {
namespace {

template <class T>
bool bit(T v, std::uint32_t i) {
  return i < 8 * sizeof(T) && ((v >> i) & 1) != 0;
}

template <class T>
class Bits : public ::testing::Test {};
using Types = ::testing::Types<std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(Bits, Types);

const std::vector<std::uint32_t> kPositions{0,  1,  5,  8,   31,  32,  33,
                                            63, 64, 65, 200, 255, 256, 0x80000001};

TYPED_TEST(Bits, CountsFindsAndReverses) {
  using T = TypeParam;
  constexpr std::uint32_t kWidth = 8 * sizeof(T);
  const auto values = edges<T>();
  const std::string b = fmt::format("b{}", kWidth);
  expect_unary<std::uint32_t>("popc." + b + " %d, %a;", values, [](T a) {
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < kWidth; ++i) n += bit(a, i) ? 1 : 0;
    return n;
  });
  expect_unary<std::uint32_t>("clz." + b + " %d, %a;", values, [](T a) {
    std::uint32_t n = 0;
    while (n < kWidth && !bit(a, kWidth - 1 - n)) ++n;
    return n;
  });
  expect_unary<T>("brev." + b + " %d, %a;", values, [](T a) {
    T result = 0;
    for (std::uint32_t i = 0; i < kWidth; ++i) result |= T{bit(a, i)} << (kWidth - 1 - i);
    return result;
  });
  for (const bool is_signed : {false, true}) {
    for (const bool shift_amount : {false, true}) {
      expect_unary<std::uint32_t>(
          fmt::format("bfind{}.{}{} %d, %a;", shift_amount ? ".shiftamt" : "",
                      is_signed ? "s" : "u", kWidth),
          values, [&](T a) {
            // The highest bit that differs from the sign.
            const bool skip = is_signed && bit(a, kWidth - 1);
            for (std::uint32_t i = kWidth; i-- > 0;) {
              if (bit(a, i) != skip) return shift_amount ? kWidth - 1 - i : i;
            }
            return 0xffffffffu;
          });
    }
  }
}

TYPED_TEST(Bits, ExtractsAndInsertsFields) {
  using T = TypeParam;
  constexpr std::uint32_t kWidth = 8 * sizeof(T);
  const auto values = edges<T>();
  for (const bool is_signed : {false, true}) {
    expect_ternary<T>(fmt::format("bfe.{}{} %d, %a, %b, %c;", is_signed ? "s" : "u", kWidth),
                      values, kPositions, kPositions,
                      [&](T a, std::uint32_t start, std::uint32_t length) {
                        start &= 0xff;
                        length &= 0xff;
                        // Bits outside the number, and past the field, are the field's sign.
                        const std::uint32_t last = std::min(start + length - 1, kWidth - 1);
                        const bool sign = is_signed && length != 0 && bit(a, last);
                        T result = 0;
                        for (std::uint32_t i = 0; i < kWidth; ++i) {
                          const bool inside = i < length && start + i < kWidth;
                          result |= T{inside ? bit(a, start + i) : sign} << i;
                        }
                        return result;
                      });
  }
  for (const std::uint32_t start : kPositions) {
    expect_ternary<T>(fmt::format("bfi.b{} %d, %a, %b, {}, %c;", kWidth, start), values, values,
                      kPositions, [&](T a, T b, std::uint32_t length) {
                        T result = b;
                        for (std::uint32_t i = 0; i < (length & 0xff); ++i) {
                          const std::uint32_t at = (start & 0xff) + i;
                          if (at >= kWidth) break;
                          result = (result & ~(T{1} << at)) | T{bit(a, i)} << at;
                        }
                        return result;
                      });
  }
}

TYPED_TEST(Bits, CombinesBitByBit) {
  using T = TypeParam;
  const auto values = edges<T>();
  const std::string b = fmt::format("b{}", 8 * sizeof(T));
  expect_binary<T>("and." + b + " %d, %a, %b;", values, values,
                   [](T x, T y) { return static_cast<T>(x & y); });
  expect_binary<T>("or." + b + " %d, %a, %b;", values, values,
                   [](T x, T y) { return static_cast<T>(x | y); });
  expect_binary<T>("xor." + b + " %d, %a, %b;", values, values,
                   [](T x, T y) { return static_cast<T>(x ^ y); });
  expect_unary<T>("not." + b + " %d, %a;", values, [](T x) { return static_cast<T>(~x); });
  expect_unary<T>("cnot." + b + " %d, %a;", values, [](T x) { return T{x == 0}; });
}

TEST(BitsOf32, LooksUpThreeOperands) {
  const auto values = edges<std::uint32_t>();
  for (const std::uint32_t table : {0x00u, 0x01u, 0x80u, 0x96u, 0xe8u, 0xcau, 0x3cu, 0xffu}) {
    expect_ternary<std::uint32_t>(
        fmt::format("lop3.b32 %d, %a, %b, %c, {};", table), values, values, values,
        [&](std::uint32_t a, std::uint32_t b, std::uint32_t c) {
          std::uint32_t result = 0;
          for (std::uint32_t i = 0; i < 32; ++i) {
            const std::uint32_t entry =
                (bit(a, i) ? 4 : 0) + (bit(b, i) ? 2 : 0) + (bit(c, i) ? 1 : 0);
            result |= ((table >> entry) & 1) << i;
          }
          return result;
        });
  }
}

TEST(BitsOf32, ShiftsThroughTwoWords) {
  const auto values = edges<std::uint32_t>();
  const std::vector<std::uint32_t> shifts{0, 1, 8, 31, 32, 33, 63, 64, 100, 0xffffffff};
  for (const bool wrap : {false, true}) {
    const auto amount = [&](std::uint32_t n) { return wrap ? n & 31 : std::min(n, 32u); };
    const std::string mode = wrap ? "wrap" : "clamp";
    expect_ternary<std::uint32_t>("shf.l." + mode + ".b32 %d, %a, %b, %c;", values, values, shifts,
                                  [&](std::uint32_t a, std::uint32_t b, std::uint32_t n) {
                                    const std::uint64_t both = (std::uint64_t{b} << 32) | a;
                                    return static_cast<std::uint32_t>((both << amount(n)) >> 32);
                                  });
    expect_ternary<std::uint32_t>("shf.r." + mode + ".b32 %d, %a, %b, %c;", values, values, shifts,
                                  [&](std::uint32_t a, std::uint32_t b, std::uint32_t n) {
                                    const std::uint64_t both = (std::uint64_t{b} << 32) | a;
                                    return static_cast<std::uint32_t>(both >> amount(n));
                                  });
  }
}

TEST(BitsOf32, PermutesBytes) {
  const std::vector<std::uint32_t> values{0x83828180, 0x07060504, 0xff7f0180, 0x12345678};
  const std::vector<std::uint32_t> selectors{0x3210, 0x7654, 0x0123, 0x4040, 0xba98,    0xfedc,
                                             0x0000, 0x8888, 0x5140, 0xffff, 0x10003210};
  const auto byte = [](std::uint32_t a, std::uint32_t b, std::uint32_t i) {
    const std::uint64_t both = (std::uint64_t{b} << 32) | a;
    return static_cast<std::uint32_t>((both >> (8 * (i & 7))) & 0xff);
  };
  expect_ternary<std::uint32_t>("prmt.b32 %d, %a, %b, %c;", values, values, selectors,
                                [&](std::uint32_t a, std::uint32_t b, std::uint32_t s) {
                                  std::uint32_t result = 0;
                                  for (std::uint32_t i = 0; i < 4; ++i) {
                                    const std::uint32_t nibble = (s >> (4 * i)) & 15;
                                    std::uint32_t v = byte(a, b, nibble);
                                    if (nibble >= 8) v = (v & 0x80) != 0 ? 0xff : 0;
                                    result |= v << (8 * i);
                                  }
                                  return result;
                                });
  // Which bytes each mode takes for selectors 0 to 3, lowest first.
  struct Mode {
    const char* name;
    std::array<std::array<std::uint32_t, 4>, 4> bytes;
  };
  constexpr Mode kModes[] = {
      {"f4e", {{{0, 1, 2, 3}, {1, 2, 3, 4}, {2, 3, 4, 5}, {3, 4, 5, 6}}}},
      {"b4e", {{{0, 7, 6, 5}, {1, 0, 7, 6}, {2, 1, 0, 7}, {3, 2, 1, 0}}}},
      {"rc8", {{{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}}}},
      {"ecl", {{{0, 1, 2, 3}, {1, 1, 2, 3}, {2, 2, 2, 3}, {3, 3, 3, 3}}}},
      {"ecr", {{{0, 0, 0, 0}, {0, 1, 1, 1}, {0, 1, 2, 2}, {0, 1, 2, 3}}}},
      {"rc16", {{{0, 1, 0, 1}, {2, 3, 2, 3}, {0, 1, 0, 1}, {2, 3, 2, 3}}}},
  };
  for (const Mode& mode : kModes) {
    expect_ternary<std::uint32_t>(fmt::format("prmt.b32.{} %d, %a, %b, %c;", mode.name), values,
                                  values, std::vector<std::uint32_t>{0, 1, 2, 3, 4, 7, 0xfffffffe},
                                  [&](std::uint32_t a, std::uint32_t b, std::uint32_t s) {
                                    std::uint32_t result = 0;
                                    for (std::uint32_t i = 0; i < 4; ++i) {
                                      result |= byte(a, b, mode.bytes[s & 3][i]) << (8 * i);
                                    }
                                    return result;
                                  });
  }
}

TEST(BitsOf32, MakesMasks) {
  const std::vector<std::uint32_t> values{0, 1, 5, 16, 31, 32, 33, 40, 0x80000000, 0xffffffff};
  for (const bool wrap : {false, true}) {
    expect_binary<std::uint32_t>(fmt::format("bmsk.{}.b32 %d, %a, %b;", wrap ? "wrap" : "clamp"),
                                 values, values, [&](std::uint32_t start, std::uint32_t length) {
                                   start = wrap ? start & 31 : start;
                                   length = wrap ? length & 31 : std::min(length, 32u);
                                   std::uint32_t result = 0;
                                   for (std::uint64_t i = start;
                                        i < std::uint64_t{start} + length && i < 32; ++i) {
                                     result |= 1u << i;
                                   }
                                   return result;
                                 });
  }
}

}  // namespace
}  // namespace vgpu::testing
