#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace siamese {

/// NumPy's legacy stream (numpy.random.seed, numpy.random.RandomState), bit for bit: MT19937 seeded
/// with one 32-bit number, so that the experiment's data are those of the original script.
/// Sources: Matsumoto and Nishimura, "Mersenne Twister", 1998; NumPy's documented legacy behaviour.
class NumpyRandom {
 public:
  explicit NumpyRandom(std::uint32_t seed);

  /// numpy.random.random_sample: uniform in [0, 1) with 53 random bits.
  double random_sample();

  /// numpy.random.shuffle of the integers 0 .. count - 1, as numpy.random.permutation(count) gives
  /// them; count >= 0.
  std::vector<std::int64_t> permutation(std::int64_t count);

  /// numpy.random.shuffle, in place.
  void shuffle(std::vector<std::int64_t>& values);

 private:
  std::uint32_t next_word();
  void refill();
  std::uint64_t interval(std::uint64_t max);

  std::array<std::uint32_t, 624> state_;
  std::size_t position_;
};

}  // namespace siamese
