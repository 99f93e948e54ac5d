// The comparison itself, on planted errors: each kind of wrong result that a kernel may leave must
// fail, and a result with nothing but rounding errors must pass.

#include "cpu_ref/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "model/random.h"

namespace siamese::ref {
namespace {

constexpr double roundoff = 0x1p-24;
constexpr std::size_t rows = 37;
constexpr std::size_t columns = 10;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

std::vector<double> reference() {
  Random random(3);
  std::vector<double> want(rows * columns);
  for (double& w : want) w = 2.0 * random.uniform() - 1.0;
  return want;
}

std::vector<float> rounded(const std::vector<double>& want) { return {want.begin(), want.end()}; }

Comparison judge(const std::vector<float>& got) {
  const std::vector<double> want = reference();
  return compare<float>("planted", got, want, tolerance(roundoff, 200));
}

TEST(Compare, AcceptsRoundedReference) {
  const Comparison result = judge(rounded(reference()));
  EXPECT_TRUE(result.ok) << result.describe();
  EXPECT_LT(result.ratio, 0.2);
}

TEST(Compare, AcceptsErrorsOfASum) {
  std::vector<float> got = rounded(reference());
  for (float& g : got) g *= 1.0F + 10.0F * static_cast<float>(roundoff);
  EXPECT_TRUE(judge(got).ok);
}

TEST(Compare, RejectsOneNanAnywhere) {
  for (const std::size_t place : {std::size_t{0}, rows * columns / 2, rows * columns - 1}) {
    std::vector<float> got = rounded(reference());
    got[place] = std::numeric_limits<float>::quiet_NaN();
    const Comparison result = judge(got);
    EXPECT_FALSE(result.ok);
    EXPECT_EQ(result.failures, 1);
    EXPECT_EQ(result.index, static_cast<std::int64_t>(place));
  }
}

TEST(Compare, RejectsAllNan) {
  const Comparison result =
      judge(std::vector<float>(rows * columns, std::numeric_limits<float>::quiet_NaN()));
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.failures, static_cast<std::int64_t>(rows * columns));
}

TEST(Compare, RejectsInfinity) {
  std::vector<float> got = rounded(reference());
  got[5] = std::numeric_limits<float>::infinity();
  EXPECT_FALSE(judge(got).ok);
}

// A scale beyond what a double holds says nothing about nearness.
TEST(Compare, RejectsEverythingWhereTheToleranceIsInfinite) {
  const std::vector<double> want{1e200, 2.0};
  const Comparison result = compare<double>("huge", std::vector<double>{-7.0, 99.0}, want, {1e-6});
  EXPECT_EQ(result.failures, 2);
  EXPECT_FALSE(compare<double>("slack", std::vector<double>{1.0}, std::vector<double>{2.0},
                               {0.0, {infinity}})
                   .ok);
}

TEST(Compare, RejectsAllZeros) { EXPECT_FALSE(judge(std::vector<float>(rows * columns)).ok); }

TEST(Compare, RejectsSwappedSign) {
  std::vector<float> got = rounded(reference());
  for (float& g : got) g = -g;
  EXPECT_FALSE(judge(got).ok);
}

TEST(Compare, RejectsOneWrongElement) {
  std::vector<float> got = rounded(reference());
  got[123] += 1e-4F;
  const Comparison result = judge(got);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.index, 123);
  EXPECT_EQ(result.failures, 1);
}

TEST(Compare, RejectsUnwrittenTail) {
  std::vector<float> got = rounded(reference());
  got.back() = std::numeric_limits<float>::quiet_NaN();  // what memory is born as
  EXPECT_FALSE(judge(got).ok);
}

TEST(Compare, RejectsDroppedRow) {
  std::vector<float> got = rounded(reference());
  std::fill(got.end() - columns, got.end(), 0.0F);
  const Comparison result = judge(got);
  EXPECT_FALSE(result.ok);
  EXPECT_GT(result.failures, static_cast<std::int64_t>(columns) / 2);
}

TEST(Compare, RejectsShiftedRows) {
  std::vector<float> got = rounded(reference());
  std::rotate(got.begin(), got.begin() + columns, got.end());
  EXPECT_FALSE(judge(got).ok);
}

TEST(Compare, RejectsSmallRelativeErrorOfEverything) {
  std::vector<float> got = rounded(reference());
  for (float& g : got) g *= 1.0001F;
  EXPECT_FALSE(judge(got).ok);
}

TEST(Compare, NonFiniteReferenceWantsTheSame) {
  const std::vector<double> want{1.0, nan, infinity, -infinity};
  const auto judge_against = [&](std::vector<float> got) {
    return compare<float>("non-finite", got, want, tolerance(roundoff, 1)).ok;
  };
  constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
  constexpr float inf = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(judge_against({1.0F, not_a_number, inf, -inf}));
  EXPECT_FALSE(judge_against({1.0F, 0.0F, inf, -inf}));
  EXPECT_FALSE(judge_against({1.0F, not_a_number, -inf, -inf}));
  EXPECT_FALSE(judge_against({1.0F, not_a_number, 3.4e38F, -inf}));
}

TEST(Compare, ZeroReferenceWantsExactZero) {
  const std::vector<double> want(4, 0.0);
  EXPECT_TRUE(
      compare<float>("zero", std::vector<float>(4, -0.0F), want, tolerance(roundoff, 9)).ok);
  EXPECT_FALSE(
      compare<float>("zero", std::vector<float>(4, 1e-30F), want, tolerance(roundoff, 9)).ok);
}

TEST(Compare, SlackServesItsElementAlone) {
  const std::vector<double> want{1.0, 1.0, 1.0};
  const Tolerance slack{1e-6, {0.0, 0.5, 0.0}};
  EXPECT_TRUE(compare<float>("slack", std::vector<float>{1.0F, 1.4F, 1.0F}, want, slack).ok);
  EXPECT_FALSE(compare<float>("slack", std::vector<float>{1.4F, 1.0F, 1.0F}, want, slack).ok);
}

TEST(Compare, LeastScaleServesSumsThatCancel) {
  const std::vector<double> want{1e-18, -1e-18};
  const std::vector<float> got{3e-18F, 0.0F};
  EXPECT_FALSE(compare<float>("cancelled", got, want, {1e-6}).ok);
  EXPECT_TRUE(compare<float>("cancelled", got, want, {.relative = 1e-6, .least_scale = 1.0}).ok);
}

TEST(Compare, CountsThatDifferAreAnError) {
  EXPECT_THROW(compare<float>("count", std::vector<float>(3), std::vector<double>(4), Tolerance{}),
               UsageError);
}

TEST(Compare, NothingToCompareIsToldAsSuch) {
  const Comparison result =
      compare<float>("empty", std::vector<float>{}, std::vector<double>{}, Tolerance{});
  EXPECT_TRUE(result.ok);
  EXPECT_EQ(result.describe(), "empty: nothing to compare");
}

TEST(Compare, DescriptionHasIndexValuesErrorAndTolerance) {
  std::vector<float> got = rounded(reference());
  got[7] = 9.0F;
  const std::string text = judge(got).describe();
  for (const char* part : {"planted", "[7]", "got 9", "want", "error", "tolerance"}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(Compare, ToleranceGrowsAsTheRootOfTheLength) {
  EXPECT_DOUBLE_EQ(tolerance(roundoff, 400).relative, 20.0 * tolerance(roundoff, 1).relative);
  EXPECT_DOUBLE_EQ(tolerance(roundoff, 0).relative, tolerance(roundoff, 1).relative);
}

}  // namespace
}  // namespace siamese::ref
