#include "model/numpy_random.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/golden/golden.h"

namespace siamese {
namespace {

class NumpyStream : public testing::TestWithParam<std::uint32_t> {
 protected:
  std::vector<double> golden(const std::string& what) {
    return golden_values("numpy_stream.csv", fmt::format("seed{} {}", GetParam(), what));
  }
};

std::vector<double> as_doubles(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

// One stream through every kind of draw, in the order of the generating script.
TEST_P(NumpyStream, IsNumpysBitForBit) {
  NumpyRandom random(GetParam());
  std::vector<double> samples(700);
  for (double& sample : samples) sample = random.random_sample();
  std::vector<double> shown(samples.begin(), samples.begin() + 5);
  shown.insert(shown.end(), samples.begin() + 310, samples.begin() + 315);
  shown.insert(shown.end(), samples.end() - 5, samples.end());
  EXPECT_EQ(shown, golden("random_sample"));

  EXPECT_EQ(as_doubles(random.permutation(41)), golden("permutation41"));

  std::vector<std::int64_t> values(17);
  std::iota(values.begin(), values.end(), 100);
  random.shuffle(values);
  EXPECT_EQ(as_doubles(values), golden("shuffle17"));

  const std::vector<double> after{random.random_sample(), random.random_sample()};
  EXPECT_EQ(after, golden("sample_after"));
}

INSTANTIATE_TEST_SUITE_P(Seeds, NumpyStream, testing::Values(0U, 1U, 4294967295U));

TEST(NumpyRandom, PermutationsOfNothingAndOfOneDrawNothing) {
  NumpyRandom random(0);
  EXPECT_TRUE(random.permutation(0).empty());
  EXPECT_EQ(random.permutation(1), std::vector<std::int64_t>{0});
  EXPECT_EQ(random.random_sample(), 0.5488135039273248);
}

}  // namespace
}  // namespace siamese
