#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

// Instructions on all combinations of values, compared bit by bit with a function of the host.
namespace vgpu::testing {

template <class T>
std::uint64_t bits_of(T value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

// Every bit counts, but one NaN is as good as another where the test says so.
template <class T>
bool same_bits(T got, T want, bool any_nan) {
  if constexpr (std::is_floating_point_v<T>) {
    if (any_nan && std::isnan(want)) return std::isnan(got);
  }
  return bits_of(got) == bits_of(want);
}

template <class To, class... From>
void expect_values(const std::string& statements, const std::vector<To>& want, bool any_nan,
                   const std::vector<From>&... inputs) {
  const std::vector<To> got = evaluate<To>(statements, inputs...);
  int wrong = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (same_bits(got[i], want[i], any_nan) || ++wrong > 3) continue;
    std::string operands;
    ((operands += fmt::format(" {:#x}", bits_of(inputs[i]))), ...);
    ADD_FAILURE() << statements << " of" << operands << " gives "
                  << fmt::format("{:#x}, expected {:#x}", bits_of(got[i]), bits_of(want[i]));
  }
  EXPECT_EQ(wrong, 0) << statements;
}

// d = f(a) for each a.
template <class To, class A, class F>
void expect_unary(const std::string& statements, const std::vector<A>& as, F f,
                  bool any_nan = true) {
  std::vector<To> want;
  want.reserve(as.size());
  for (const A a : as) want.push_back(f(a));
  expect_values<To>(statements, want, any_nan, as);
}

// d = f(a, b) for each a and b.
template <class To, class A, class B, class F>
void expect_binary(const std::string& statements, const std::vector<A>& as,
                   const std::vector<B>& bs, F f, bool any_nan = true) {
  std::vector<A> a;
  std::vector<B> b;
  std::vector<To> want;
  for (const A x : as) {
    for (const B y : bs) {
      a.push_back(x);
      b.push_back(y);
      want.push_back(f(x, y));
    }
  }
  expect_values<To>(statements, want, any_nan, a, b);
}

// d = f(a, b, c) for each a, b and c; in statements %c is the third.
template <class To, class A, class B, class C, class F>
void expect_ternary(const std::string& statements, const std::vector<A>& as,
                    const std::vector<B>& bs, const std::vector<C>& cs, F f, bool any_nan = true) {
  std::vector<A> a;
  std::vector<B> b;
  std::vector<C> c;
  std::vector<To> want;
  for (const A x : as) {
    for (const B y : bs) {
      for (const C z : cs) {
        a.push_back(x);
        b.push_back(y);
        c.push_back(z);
        want.push_back(f(x, y, z));
      }
    }
  }
  expect_values<To>(statements, want, any_nan, a, b, c);
}

// Integers where something may go wrong, and a few others.
template <class T>
std::vector<T> edges() {
  using Limits = std::numeric_limits<T>;
  return {T{0},
          T{1},
          T{2},
          T{7},
          static_cast<T>(-1),
          static_cast<T>(-2),
          static_cast<T>(-7),
          Limits::min(),
          static_cast<T>(Limits::min() + 1),
          Limits::max(),
          static_cast<T>(Limits::max() - 1),
          static_cast<T>(Limits::max() / 2 + 1),
          static_cast<T>(0x123456789abcdef5)};
}

}  // namespace vgpu::testing
