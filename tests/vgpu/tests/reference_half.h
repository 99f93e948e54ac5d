#pragma once

#include <cmath>
#include <cstdint>

// The 16-bit formats by definition, and rounding by search among all their values: slow, and
// nothing like what is tested.
namespace vgpu::testing {

__extension__ using Quad = __float128;

struct HalfFormat {
  int mantissa, exponent;  // bits

  [[nodiscard]] std::uint16_t infinity() const {
    return static_cast<std::uint16_t>(((1 << exponent) - 1) << mantissa);
  }
  // Of a bit pattern, infinities and NaNs included.
  [[nodiscard]] double value(std::uint16_t bits) const {
    const int fraction = bits & ((1 << mantissa) - 1);
    const int e = (bits >> mantissa) & ((1 << exponent) - 1);
    const int bias = (1 << (exponent - 1)) - 1;
    double magnitude = 0;
    if (e == (1 << exponent) - 1) {
      magnitude = fraction != 0 ? NAN : INFINITY;
    } else if (e == 0) {
      magnitude = std::ldexp(fraction, 1 - bias - mantissa);
    } else {
      magnitude = std::ldexp(fraction + (1 << mantissa), e - bias - mantissa);
    }
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
  }
  // To nearest, ties to even. A NaN is 0x7fff.
  [[nodiscard]] std::uint16_t round(Quad v, bool negative_zero = false) const {
    if (v != v) return 0x7fff;
    const std::uint16_t sign = v < 0 || (v == 0 && negative_zero) ? 0x8000 : 0;
    const Quad magnitude = v < 0 ? -v : v;
    // The largest value not above it; past the last finite one the steps go on as before.
    std::uint16_t low = 0;
    std::uint16_t high = infinity();
    while (high - low > 1) {
      const auto middle = static_cast<std::uint16_t>((low + high) / 2);
      (Quad{value(middle)} <= magnitude ? low : high) = middle;
    }
    const Quad below = value(low);
    const Quad above = high == infinity()
                           ? below + (below - Quad{value(static_cast<std::uint16_t>(low - 1))})
                           : Quad{value(high)};
    const Quad to_below = magnitude - below;
    const Quad to_above = above - magnitude;
    const bool up = to_above < to_below || (to_above == to_below && (low & 1) != 0);
    return static_cast<std::uint16_t>(sign | (up ? high : low));
  }
};
inline constexpr HalfFormat kHalf{10, 5};
inline constexpr HalfFormat kBfloat{7, 8};

}  // namespace vgpu::testing
