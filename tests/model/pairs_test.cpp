#include "model/pairs.h"

#include <gtest/gtest.h>

#include "model/error.h"
#include "model/random.h"

namespace siamese {
namespace {

TEST(AllPairs, CountsAre64Bit) {
  EXPECT_EQ(all_pairs_count(0), 0);
  EXPECT_EQ(all_pairs_count(1), 0);
  EXPECT_EQ(all_pairs_count(2), 1);
  EXPECT_EQ(all_pairs_count(30), 435);
  EXPECT_EQ(all_pairs_count(100000), 4999950000);
  EXPECT_EQ(all_pairs_count(std::int64_t{1} << 32), 9223372034707292160);
  EXPECT_THROW(all_pairs_count((std::int64_t{1} << 32) + 1), UsageError);
  EXPECT_THROW(all_pairs_count(-1), UsageError);
}

TEST(AllPairs, UnrankVisitsEveryPairInOrder) {
  for (const std::int64_t n : {2, 3, 4, 17, 100}) {
    std::int64_t rank = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = i + 1; j < n; ++j, ++rank) {
        ASSERT_EQ(unrank_pair(rank, n), (PointPair{i, j}));
      }
    }
    EXPECT_EQ(rank, all_pairs_count(n));
  }
}

// The inverse of unrank_pair: pairs that begin at `first` or later are those of n - first points.
std::int64_t rank_of(const PointPair& pair, std::int64_t n) {
  const std::int64_t row_begin = all_pairs_count(n) - all_pairs_count(n - pair.first);
  return row_begin + (pair.second - pair.first - 1);
}

// The floating-point root alone is off by whole rows here.
TEST(AllPairs, UnrankIsExactForHugeCounts) {
  for (const std::int64_t n : {std::int64_t{100000}, std::int64_t{3037000500},
                               (std::int64_t{1} << 32) - 1, std::int64_t{1} << 32}) {
    const std::int64_t count = all_pairs_count(n);
    Random random(static_cast<std::uint64_t>(n));
    std::vector<std::int64_t> ranks{0, 1, n - 2, n - 1, count / 2, count - 2, count - 1};
    for (int k = 0; k < 1000; ++k) {
      ranks.push_back(static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(count))));
      const auto first = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n - 2)));
      const std::int64_t row = rank_of({first + 1, first + 2}, n);  // its first pair's rank
      ranks.insert(ranks.end(), {row - 1, row});
    }
    for (const std::int64_t rank : ranks) {
      const PointPair pair = unrank_pair(rank, n);
      ASSERT_TRUE(0 <= pair.first && pair.first < pair.second && pair.second < n)
          << n << ' ' << rank;
      ASSERT_EQ(rank_of(pair, n), rank) << n;
    }
    EXPECT_EQ(unrank_pair(count - 1, n), (PointPair{n - 2, n - 1}));
    EXPECT_EQ(unrank_pair(n - 1, n), (PointPair{1, 2}));
  }
}

TEST(AllPairs, ListHasThemInTheSameOrder) {
  const PairList list = all_pairs_list(30);
  ASSERT_EQ(list.size(), 435);
  for (std::int64_t rank = 0; rank < list.size(); ++rank) {
    const auto p = static_cast<std::size_t>(rank);
    ASSERT_EQ((PointPair{list.first[p], list.second[p]}), unrank_pair(rank, 30));
  }
  EXPECT_EQ(all_pairs_list(0).size(), 0);
  EXPECT_THROW(all_pairs_list(std::int64_t{1} << 31), UsageError);
}

TEST(PairLists, AreChecked) {
  EXPECT_NO_THROW(check_pairs({{0, 2}, {1, 2}}, 3));
  EXPECT_NO_THROW(check_pairs({}, 0));
  EXPECT_THROW(check_pairs({{0}, {1, 2}}, 3), UsageError);
  EXPECT_THROW(check_pairs({{0}, {3}}, 3), UsageError);
  EXPECT_THROW(check_pairs({{-1}, {0}}, 3), UsageError);
}

}  // namespace
}  // namespace siamese
