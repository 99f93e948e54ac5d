#pragma once

#include <array>
#include <cstdint>

namespace siamese {

/// A pseudorandom permutation of 0 .. count - 1 that is computed an element at a time, so that
/// every thread of every device finds the pair it needs without a stored order: a balanced Feistel
/// network over the smallest even number of bits that holds `count`, walked until it lands inside.
/// Plain constexpr arithmetic: the same on host and device.
/// Source of the construction: Black and Rogaway, "Ciphers with arbitrary finite domains", 2002.
class Permutation {
 public:
  struct Key {
    std::uint64_t seed;
    std::uint64_t epoch;
  };

  /// count >= 0, at most 2^62.
  constexpr Permutation(std::int64_t count, Key key)
      : count_(static_cast<std::uint64_t>(count)), half_bits_(1), round_keys_{} {
    while ((std::uint64_t{1} << (2 * half_bits_)) < count_) ++half_bits_;
    std::uint64_t state = mix(seed_after(key.seed, key.epoch + 1));
    for (std::uint64_t& round_key : round_keys_) round_key = state = mix(state + 1);
  }

  /// The seed whose epoch e is epoch `epochs` + e of `seed`: training goes on with it where it
  /// stopped after so many epochs.
  static constexpr std::uint64_t seed_after(std::uint64_t seed, std::uint64_t epochs) {
    return seed + 0x9E3779B97F4A7C15U * epochs;
  }

  /// Where position `i`, 0 <= i < count, is sent.
  constexpr std::int64_t operator()(std::int64_t i) const {
    auto value = static_cast<std::uint64_t>(i);
    do value = encrypt(value);
    while (value >= count_);
    return static_cast<std::int64_t>(value);
  }

 private:
  // The finaliser of MurmurHash3 with the constants of SplitMix64 (as in model/random.h).
  static constexpr std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  constexpr std::uint64_t encrypt(std::uint64_t value) const {
    const std::uint64_t mask = (std::uint64_t{1} << half_bits_) - 1;
    std::uint64_t left = value >> half_bits_;
    std::uint64_t right = value & mask;
    for (const std::uint64_t round_key : round_keys_) {
      const std::uint64_t next = left ^ (mix(right ^ round_key) & mask);
      left = right;
      right = next;
    }
    return (left << half_bits_) | right;
  }

  static constexpr std::size_t rounds = 8;
  std::uint64_t count_;
  unsigned half_bits_;
  std::array<std::uint64_t, rounds> round_keys_;
};

}  // namespace siamese
