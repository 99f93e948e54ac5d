#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

// The small floating-point formats and correct rounding into them.
namespace vgpu {

enum class Rounding : std::uint8_t { nearest, zero, down, up, away /* nearest, ties away */ };

// Bits of a format with kMantissa explicit bits and kExponent exponent bits, nearest to `value` in
// the way that `rounding` says. A NaN becomes the format's canonical one, all ones but the sign.
template <int kMantissa, int kExponent>
inline std::uint32_t round_to_format(double value, Rounding rounding) {
  constexpr int kBias = (1 << (kExponent - 1)) - 1;
  constexpr std::uint64_t kInfinity = ((std::uint64_t{1} << kExponent) - 1) << kMantissa;
  const auto bits = std::bit_cast<std::uint64_t>(value);
  const auto sign = static_cast<std::uint32_t>(bits >> 63) << (kMantissa + kExponent);
  const auto exponent = static_cast<int>((bits >> 52) & 0x7ff);
  const std::uint64_t fraction = bits & ((std::uint64_t{1} << 52) - 1);
  if (exponent == 0x7ff) {
    if (fraction != 0)
      return static_cast<std::uint32_t>((std::uint64_t{1} << (kMantissa + kExponent)) - 1);
    return sign | static_cast<std::uint32_t>(kInfinity);
  }
  const std::uint64_t mantissa = exponent == 0 ? fraction : fraction | (std::uint64_t{1} << 52);
  const int scale = (exponent == 0 ? 1 : exponent) - 1023;  // value = mantissa * 2^(scale - 52)
  // Exponent of the last bit that is kept; never below that of a denormal.
  const int last = scale > 1 - kBias ? scale - kMantissa : 1 - kBias - kMantissa;
  const int dropped = last - (scale - 52);
  const std::uint64_t kept = dropped > 63 ? 0 : mantissa >> dropped;
  const std::uint64_t rest =
      dropped > 63 ? (mantissa != 0 ? 1 : 0) : mantissa & ((std::uint64_t{1} << dropped) - 1);
  const std::uint64_t half = dropped > 63 ? 2 : std::uint64_t{1} << (dropped - 1);
  bool up = false;
  switch (rounding) {
    case Rounding::nearest:
      up = rest > half || (rest == half && (kept & 1) != 0);
      break;
    case Rounding::away:
      up = rest >= half;
      break;
    case Rounding::zero:
      break;
    case Rounding::down:
      up = rest != 0 && sign != 0;
      break;
    case Rounding::up:
      up = rest != 0 && sign == 0;
      break;
  }
  const std::uint64_t biased = static_cast<std::uint64_t>(last + kMantissa + kBias - 1)
                               << kMantissa;
  std::uint64_t result = biased + kept + (up ? 1 : 0);
  if (result >= kInfinity) {
    const bool to_infinity = rounding == Rounding::nearest || rounding == Rounding::away ||
                             (rounding == Rounding::down && sign != 0) ||
                             (rounding == Rounding::up && sign == 0);
    result = to_infinity ? kInfinity : kInfinity - 1;
  }
  return sign | static_cast<std::uint32_t>(result);
}

template <int kMantissa, int kExponent>
inline double format_to_double(std::uint32_t bits) {
  constexpr int kBias = (1 << (kExponent - 1)) - 1;
  constexpr std::uint32_t kMaxExponent = (1u << kExponent) - 1;
  const std::uint32_t exponent = (bits >> kMantissa) & kMaxExponent;
  const std::uint64_t fraction = bits & ((1u << kMantissa) - 1);
  const std::uint64_t sign = static_cast<std::uint64_t>((bits >> (kMantissa + kExponent)) & 1)
                             << 63;
  double magnitude = 0;
  if (exponent == kMaxExponent) {
    magnitude =
        std::bit_cast<double>((std::uint64_t{0x7ff} << 52) | (fraction << (52 - kMantissa)));
  } else if (exponent != 0) {
    magnitude = std::bit_cast<double>(
        (static_cast<std::uint64_t>(static_cast<int>(exponent) - kBias + 1023) << 52) |
        (fraction << (52 - kMantissa)));
  } else {
    // A denormal: fraction times the power of two of its last bit, exact in double.
    constexpr auto kUnit = static_cast<std::uint64_t>(1 - kBias - kMantissa + 1023) << 52;
    magnitude = static_cast<double>(fraction) * std::bit_cast<double>(kUnit);
  }
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(magnitude) | sign);
}

// Values of the 16-bit formats as they lie in registers and memory.
struct F16 {
  std::uint16_t bits = 0;
  static constexpr int kMantissa = 10, kExponent = 5;
};
struct BF16 {
  std::uint16_t bits = 0;
  static constexpr int kMantissa = 7, kExponent = 8;
};

inline double to_double(F16 v) { return format_to_double<10, 5>(v.bits); }
inline double to_double(BF16 v) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(v.bits) << 16);
}
inline float to_float(F16 v) { return static_cast<float>(to_double(v)); }
inline float to_float(BF16 v) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(v.bits) << 16);
}

template <class Format>
inline Format from_double(double value, Rounding rounding = Rounding::nearest) {
  return {static_cast<std::uint16_t>(
      round_to_format<Format::kMantissa, Format::kExponent>(value, rounding))};
}

inline float double_to_float(double value, Rounding rounding) {
  return std::bit_cast<float>(round_to_format<23, 8>(value, rounding));
}

// tf32 keeps 10 bits of a float's mantissa; the other bits are zero.
inline std::uint32_t round_to_tf32(float value, Rounding rounding) {
  const std::uint32_t bits = round_to_format<10, 8>(value, rounding);
  return bits == 0x3ffff ? 0x7fffffff : bits << 13;
}

// a * b + c in a double whose rounding to a shorter format is right: where the double is not exact
// its last bit is made odd, which keeps it off the ties. The product must be exact.
inline double fma_to_odd(double a, double b, double c) {
  const double product = a * b;
  const double sum = product + c;
  // Error of the sum (Knuth).
  const double back = sum - product;
  const double error = (product - (sum - back)) + (c - back);
  const auto bits = std::bit_cast<std::uint64_t>(sum);
  if (error == 0 || !std::isfinite(sum) || (bits & 1) != 0) return sum;
  const bool away = (error > 0) == (sum > 0);
  return std::bit_cast<double>(away ? bits + 1 : bits - 1);
}

}  // namespace vgpu
