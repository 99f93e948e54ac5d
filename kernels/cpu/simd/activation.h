#pragma once

#include <cstdint>

#include "kernels/cpu/simd/vector.h"
#include "model/network.h"

// exp, sigmoid, tanh and log(1 + x) of whole vectors, to a few units in the last place.

namespace siamese {
namespace {

/// What exp needs of a scalar type. ln 2 is in two parts, the first with so few bits that its
/// products with every exponent are exact (Cody and Waite, 1980).
template <class T>
struct ExponentialConstants;
template <>
struct ExponentialConstants<float> {
  using Word = std::uint32_t;
  static constexpr float lowest = -87.0F;    // exp of it is a normal number still
  static constexpr float round = 0x1.8p23F;  // adding it leaves the nearest integer's bits lowest
  static constexpr float ln2_high = 0x1.62e4p-1F;
  static constexpr float ln2_low = 0x1.7f7d1cp-20F;
  static constexpr int degree = 7;  // of the Taylor series: the next term is below the last bit
  static constexpr int mantissa_bits = 23;
  static constexpr Word one = 0x3F800000;
};
template <>
struct ExponentialConstants<double> {
  using Word = std::uint64_t;
  static constexpr double lowest = -708.0;
  static constexpr double round = 0x1.8p52;
  static constexpr double ln2_high = 0x1.62e42ffp-1;
  static constexpr double ln2_low = -0x1.718432a1b0e26p-35;
  static constexpr int degree = 13;
  static constexpr int mantissa_bits = 52;
  static constexpr Word one = 0x3FF0000000000000;
};

constexpr double inverse_factorial(int k) { return k < 2 ? 1.0 : inverse_factorial(k - 1) / k; }

/// exp(x) = scale (1 + rest), so that exp(x) - 1 too can be had with full accuracy near 0.
template <class T>
struct Exponential {
  Vector<T> scale;  // a power of two
  Vector<T> rest;
  Vector<T> value() const { return scale + scale * rest; }
  Vector<T> minus_one() const { return scale * rest + (scale - T(1)); }
};

/// For x <= 0; held at `lowest`, where exp(x) is nothing beside 1. NaN stays NaN.
/// x = n ln 2 + r with |r| <= ln 2 / 2, exp(r) - 1 by its series, 2^n from its bits.
template <class T>
inline Exponential<T> exponential(Vector<T> x) {
  using C = ExponentialConstants<T>;
  using Bits = typename VectorOf<typename C::Word, vector_bytes>::type;
  x = x < C::lowest ? broadcast(C::lowest) : x;
  const Vector<T> shifted = x * T(0x1.71547652b82fep+0) + C::round;
  const Vector<T> n = shifted - C::round;
  const Vector<T> r = (x - n * C::ln2_high) - n * C::ln2_low;
  Vector<T> series = broadcast(static_cast<T>(inverse_factorial(C::degree)));
  repeat<C::degree - 2>(
      [&](auto i) { series = series * r + static_cast<T>(inverse_factorial(C::degree - 1 - i)); });
  Bits bits;
  __builtin_memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits << C::mantissa_bits) + C::one;
  Exponential<T> result;
  __builtin_memcpy(&result.scale, &bits, sizeof(bits));
  result.rest = series * r * r + r;
  return result;
}

template <class T>
inline Vector<T> sigmoid(Vector<T> z) {
  const Vector<T> e = exponential<T>(-absolute<T>(z)).value();
  return (z < T(0) ? e : broadcast(T(1))) / (T(1) + e);
}

template <class T>
inline Vector<T> hyperbolic_tangent(Vector<T> z) {
  const Vector<T> less_one = exponential<T>(T(-2) * absolute<T>(z)).minus_one();
  const Vector<T> positive = -less_one / (T(2) + less_one);
  return z < T(0) ? -positive : positive;
}

/// log(1 + x) for 0 <= x <= 1: 2 artanh(s), s = x / (2 + x) <= 1/3, by its series, which neither
/// subtracts nor branches. NaN stays NaN.
template <class T>
inline Vector<T> log_one_plus(Vector<T> x) {
  constexpr int terms = sizeof(T) == sizeof(float) ? 8 : 17;  // the next is below the last bit
  const Vector<T> s = x / (T(2) + x);
  const Vector<T> square = s * s;
  Vector<T> series = broadcast(static_cast<T>(1.0 / (2 * terms - 1)));
  repeat<terms - 1>(
      [&](auto i) { series = series * square + static_cast<T>(1.0 / (2 * (terms - i) - 3)); });
  return T(2) * s * series;
}

/// act'(z), told from h = act(z), for vectors V of T; 0 for relu at 0.
template <Activation activation, class T, class V>
inline V derivative(V h) {
  if constexpr (activation == Activation::relu) {
    return h > T(0) ? broadcast<T, V>(T(1)) : V{};
  } else if constexpr (activation == Activation::sigmoid) {
    return h * (T(1) - h);
  } else if constexpr (activation == Activation::tanh) {
    return T(1) - h * h;
  } else {
    return broadcast<T, V>(T(1));
  }
}

/// use.operator()<activation>() for the activation of that value.
template <class Use>
inline void for_activation(Activation activation, const Use& use) {
  switch (activation) {
    case Activation::linear:
      return use.template operator()<Activation::linear>();
    case Activation::relu:
      return use.template operator()<Activation::relu>();
    case Activation::sigmoid:
      return use.template operator()<Activation::sigmoid>();
    case Activation::tanh:
      return use.template operator()<Activation::tanh>();
  }
}

}  // namespace
}  // namespace siamese
