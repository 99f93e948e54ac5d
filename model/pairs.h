#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace siamese {

/// Which pairs a batch has.
enum class PairForm {
  dense,    ///< pair p is the points (p, m + p) of n = 2m: every pair brings two rows of its own
  indexed,  ///< pair p is the points (first[p], second[p]); points are shared between pairs
  all       ///< every i < j of n points, m = n (n - 1) / 2, never stored
};

std::string_view name(PairForm form);

/// An index of a point in a pair list. Lists therefore address at most 2^31 - 1 points; the dense
/// and the all-pairs form store no indices and have no such limit. Counts are 64-bit everywhere.
using PointIndex = std::int32_t;

/// Two points of a pair.
struct PointPair {
  std::int64_t first;
  std::int64_t second;
  bool operator==(const PointPair&) const = default;
};

/// Pairs (first[p], second[p]) of points, p = 0 .. size() - 1.
struct PairList {
  std::vector<PointIndex> first;
  std::vector<PointIndex> second;
  std::int64_t size() const { return static_cast<std::int64_t>(first.size()); }
};

/// n (n - 1) / 2, the number of unordered pairs of n >= 0 points. Throws UsageError where it passes
/// 2^63 - 1.
std::int64_t all_pairs_count(std::int64_t points);

/// The pair with number `rank` in the order (0,1), (0,2), .. (0,n-1), (1,2), ..: exact for every
/// 0 <= rank < all_pairs_count(points).
PointPair unrank_pair(std::int64_t rank, std::int64_t points);

/// All unordered pairs of n points as a list, in the order of unrank_pair. Throws UsageError where
/// n has no PointIndex.
PairList all_pairs_list(std::int64_t points);

/// Checks a list against its number of points: both columns of one length, every index in
/// 0 .. points - 1. Throws UsageError that names the pair.
void check_pairs(const PairList& pairs, std::int64_t points);

}  // namespace siamese
