// Which of cuBLASLt's algorithms a product takes, on candidates and times made up.

#include "kernels/cublas/choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

namespace siamese::cublas {
namespace {

/// Candidates with a time each for every round, from the last one on the same; nothing for one that
/// is refused.
class Candidates {
 public:
  explicit Candidates(std::vector<std::optional<std::vector<float>>> times)
      : times_(std::move(times)), timed_(times_.size(), 0) {}

  Trials timed() {
    Trials trials = untimed();
    trials.time = [this](std::size_t i) {
      const std::vector<float>& times = times_[i].value();
      return times[std::min(timed_[i]++, times.size() - 1)];
    };
    return trials;
  }
  Trials untimed() {
    return {.candidates = times_.size(),
            .runs =
                [this](std::size_t i) {
                  tried_.push_back(i);
                  return times_[i].has_value();
                },
            .time = nullptr};
  }

  const std::vector<std::size_t>& tried() const { return tried_; }

 private:
  std::vector<std::optional<std::vector<float>>> times_;
  std::vector<std::size_t> timed_;
  std::vector<std::size_t> tried_;
};

constexpr std::nullopt_t refused = std::nullopt;
using Times = std::vector<float>;

TEST(Choice, IsTheFastest) {
  EXPECT_EQ(choose(Candidates({Times{3}, Times{1}, Times{2}}).timed()), 1U);
  EXPECT_EQ(choose(Candidates({Times{2}, Times{1}, Times{1}}).timed()), 1U);  // first of equals
}

TEST(Choice, GoesByTheLeastTimeOfTheRounds) {
  EXPECT_EQ(choose(Candidates({Times{2}, Times{9, 9, 1, 9}, Times{1.5F}}).timed()), 1U);
}

TEST(Choice, SkipsWhatIsRefused) {
  EXPECT_EQ(choose(Candidates({refused, Times{3}, refused, Times{2}}).timed()), 3U);
  EXPECT_EQ(choose(Candidates({refused, Times{3}, Times{2}}).untimed()), 1U);
}

TEST(Choice, WithoutTimesIsTheFirstThatRunsAndTriesNoOther) {
  Candidates candidates({refused, Times{3}, Times{1}});
  EXPECT_EQ(choose(candidates.untimed()), 1U);
  EXPECT_EQ(candidates.tried(), (std::vector<std::size_t>{0, 1}));
}

TEST(Choice, IsNothingWhereNoneRuns) {
  EXPECT_EQ(choose(Candidates({}).timed()), std::nullopt);
  EXPECT_EQ(choose(Candidates({refused, refused}).timed()), std::nullopt);
  EXPECT_EQ(choose(Candidates({refused, refused}).untimed()), std::nullopt);
}

TEST(Findings, AreMadeOnceForAKey) {
  Findings<int, std::optional<int>> findings;
  int calls = 0;
  const auto find = [&]() -> std::optional<int> { return ++calls; };
  EXPECT_EQ(findings.get(1, find), 1);
  EXPECT_EQ(findings.get(2, find), 2);
  EXPECT_EQ(findings.get(1, find), 1);
  const auto find_nothing = []() -> std::optional<int> { return std::nullopt; };
  EXPECT_EQ(findings.get(3, find_nothing), std::nullopt);
  EXPECT_EQ(findings.get(3, find), std::nullopt);  // which is an answer too
}

}  // namespace
}  // namespace siamese::cublas
