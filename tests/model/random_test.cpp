#include "model/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "model/permutation.h"

namespace siamese {
namespace {

// The first outputs of SplitMix64 for seed 1234567, as the reference implementation by Sebastiano
// Vigna (splitmix64.c, public domain) gives them.
TEST(Random, IsSplitMix64) {
  Random random(1234567);
  for (const std::uint64_t want : {6457827717110365317U, 3203168211198807973U, 9817491932198370423U,
                                   4593380528125082431U, 16408922859458223821U}) {
    EXPECT_EQ(random.bits(), want);
  }
}

TEST(Random, UniformStaysInItsRangeWithItsMean) {
  Random random(1);
  double sum = 0.0;
  constexpr int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double u = random.uniform();
    ASSERT_TRUE(u >= 0.0 && u < 1.0);
    sum += u;
  }
  EXPECT_NEAR(sum / count, 0.5, 4.0 / std::sqrt(12.0 * count));
}

TEST(Random, BelowReachesEachValueAlike) {
  Random random(2);
  std::array<int, 7> counts{};
  constexpr int draws = 70000;
  for (int i = 0; i < draws; ++i) ++counts[random.below(counts.size())];
  for (const int count : counts) EXPECT_NEAR(count, draws / 7.0, 500);
  EXPECT_EQ(random.below(1), 0U);
}

TEST(Random, ShuffleKeepsTheElements) {
  std::vector<int> values(100);
  std::iota(values.begin(), values.end(), 0);
  Random random(3);
  random.shuffle(std::span<int>(values));
  EXPECT_FALSE(std::is_sorted(values.begin(), values.end()));
  EXPECT_EQ(std::set<int>(values.begin(), values.end()).size(), 100U);
}

TEST(Permutation, IsABijectionOfEveryCount) {
  for (const std::int64_t count : {0, 1, 2, 3, 4, 5, 15, 16, 17, 435, 1000, 65537}) {
    const Permutation permutation(count, {7, 3});
    std::vector<bool> hit(static_cast<std::size_t>(count), false);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t to = permutation(i);
      ASSERT_TRUE(to >= 0 && to < count) << count;
      ASSERT_FALSE(hit[static_cast<std::size_t>(to)]) << count;
      hit[static_cast<std::size_t>(to)] = true;
    }
  }
}

TEST(Permutation, LargeCountsStayInside) {
  constexpr std::int64_t count = (std::int64_t{1} << 62) - 3;
  const Permutation permutation(count, {1, 0});
  std::set<std::int64_t> seen;
  for (const std::int64_t i : {std::int64_t{0}, std::int64_t{1}, count / 2, count - 1}) {
    const std::int64_t to = permutation(i);
    EXPECT_TRUE(to >= 0 && to < count);
    seen.insert(to);
  }
  EXPECT_EQ(seen.size(), 4U);
}

TEST(Permutation, SeedAndEpochBothChangeTheOrder) {
  const auto order = [](std::uint64_t seed, std::uint64_t epoch) {
    const Permutation permutation(435, {seed, epoch});
    std::vector<std::int64_t> values;
    for (std::int64_t i = 0; i < 435; ++i) values.push_back(permutation(i));
    return values;
  };
  EXPECT_EQ(order(1, 2), order(1, 2));
  EXPECT_NE(order(1, 2), order(1, 3));
  EXPECT_NE(order(1, 2), order(2, 2));
}

// Over many keys each element must land everywhere alike: a chi-square over 8 places of 8 elements,
// 7 degrees of freedom each, whose 99.99% quantile is 29.9.
TEST(Permutation, LandsEverywhereAlike) {
  constexpr int keys = 8000;
  std::array<std::array<int, 8>, 8> counts{};
  for (int key = 0; key < keys; ++key) {
    const Permutation permutation(8, {static_cast<std::uint64_t>(key), 0});
    for (std::int64_t i = 0; i < 8; ++i) {
      ++counts[static_cast<std::size_t>(i)][static_cast<std::size_t>(permutation(i))];
    }
  }
  for (const auto& places : counts) {
    double chi_square = 0.0;
    for (const int count : places) chi_square += (count - keys / 8.0) * (count - keys / 8.0);
    EXPECT_LT(chi_square / (keys / 8.0), 29.9);
  }
}

}  // namespace
}  // namespace siamese
