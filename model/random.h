#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace siamese {

/// The project's own generator, SplitMix64: one 64-bit word of state, the same sequence everywhere.
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  /// Uniform in [0, 1), a multiple of 2^-53.
  double uniform() { return static_cast<double>(bits() >> 11U) * 0x1p-53; }

  /// Uniform in 0 .. bound - 1, without bias, for bound >= 1.
  std::uint64_t below(std::uint64_t bound) {
    const std::uint64_t biased =
        (0U - bound) % bound;  // 2^64 mod bound words would be one too many
    std::uint64_t word = bits();
    while (word < biased) word = bits();
    return word % bound;
  }

  /// Fisher and Yates's shuffle.
  template <class T>
  void shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[static_cast<std::size_t>(below(i))]);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace siamese
