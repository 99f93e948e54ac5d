#include "model/numpy_random.h"

#include <bit>
#include <limits>
#include <numeric>
#include <utility>

namespace siamese {
namespace {

constexpr std::size_t state_size = 624;
constexpr std::size_t middle = 397;

}  // namespace

NumpyRandom::NumpyRandom(std::uint32_t seed) : state_{}, position_(state_size) {
  state_[0] = seed;
  for (std::uint32_t i = 1; i < state_size; ++i) {
    const std::uint32_t previous = state_[i - 1];
    state_[i] = 1812433253U * (previous ^ (previous >> 30U)) + i;
  }
}

void NumpyRandom::refill() {
  for (std::size_t i = 0; i < state_size; ++i) {
    const std::uint32_t mixed =
        (state_[i] & 0x80000000U) | (state_[(i + 1) % state_size] & 0x7FFFFFFFU);
    const std::uint32_t twist = (mixed & 1U) != 0 ? 0x9908B0DFU : 0U;
    state_[i] = state_[(i + middle) % state_size] ^ (mixed >> 1U) ^ twist;
  }
  position_ = 0;
}

std::uint32_t NumpyRandom::next_word() {
  if (position_ == state_size) refill();
  std::uint32_t word = state_[position_++];
  word ^= word >> 11U;
  word ^= (word << 7U) & 0x9D2C5680U;
  word ^= (word << 15U) & 0xEFC60000U;
  return word ^ (word >> 18U);
}

double NumpyRandom::random_sample() {
  const std::uint32_t high = next_word() >> 5U;  // 27 bits
  const std::uint32_t low = next_word() >> 6U;   // 26 bits
  return (high * 67108864.0 + low) / 9007199254740992.0;
}

// Uniform in 0 .. max by rejection of words masked to the bits of max, one or two words a draw.
std::uint64_t NumpyRandom::interval(std::uint64_t max) {
  if (max == 0) return 0;
  const std::uint64_t mask = std::numeric_limits<std::uint64_t>::max() >> std::countl_zero(max);
  const bool one_word = max <= std::numeric_limits<std::uint32_t>::max();
  while (true) {
    std::uint64_t word = next_word();
    if (!one_word) word = (word << 32U) | next_word();
    word &= mask;
    if (word <= max) return word;
  }
}

void NumpyRandom::shuffle(std::vector<std::int64_t>& values) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[interval(i - 1)]);
  }
}

std::vector<std::int64_t> NumpyRandom::permutation(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), std::int64_t{0});
  shuffle(values);
  return values;
}

}  // namespace siamese
