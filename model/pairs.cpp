#include "model/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "model/error.h"

namespace siamese {
namespace {

constexpr std::int64_t most_points = std::int64_t{1} << 32;  // n (n - 1) / 2 < 2^63 up to here

// Pairs whose first point is below `first`: the rank at which row `first` begins. The product of
// the two factors is even and, in unsigned arithmetic, never passes 2^64.
std::int64_t row_begin(std::int64_t first, std::int64_t points) {
  const auto i = static_cast<std::uint64_t>(first);
  const auto n = static_cast<std::uint64_t>(points);
  return static_cast<std::int64_t>(i * (2 * n - i - 1) / 2);
}

}  // namespace

std::string_view name(PairForm form) {
  switch (form) {
    case PairForm::dense:
      return "dense";
    case PairForm::indexed:
      return "indexed";
    case PairForm::all:
      return "all";
  }
  throw UsageError("unknown form of pairs");
}

std::int64_t all_pairs_count(std::int64_t points) {
  if (points < 0 || points > most_points) {
    throw UsageError(
        fmt::format("all pairs of {} points; expected 0 to {} points", points, most_points));
  }
  return points == 0 ? 0 : row_begin(points - 1, points);
}

PointPair unrank_pair(std::int64_t rank, std::int64_t points) {
  // Row i begins at i (2n - 1 - i) / 2. Solved for i in floating point the root is off by some
  // rows, the more the nearer to the end; the exact integer row_begin settles it.
  const double b = 2.0 * static_cast<double>(points) - 1.0;
  const double root = std::sqrt(std::max(0.0, b * b - 8.0 * static_cast<double>(rank)));
  auto first = static_cast<std::int64_t>((b - root) / 2.0);
  first = std::min(std::max<std::int64_t>(first, 0), points - 2);
  while (row_begin(first, points) > rank) --first;
  while (first + 1 < points - 1 && row_begin(first + 1, points) <= rank) ++first;
  return {first, first + 1 + (rank - row_begin(first, points))};
}

PairList all_pairs_list(std::int64_t points) {
  if (points > std::numeric_limits<PointIndex>::max()) {
    throw UsageError(fmt::format("list of all pairs of {} points; expected at most {} points",
                                 points, std::numeric_limits<PointIndex>::max()));
  }
  const auto count = static_cast<std::size_t>(all_pairs_count(points));
  PairList pairs;
  pairs.first.reserve(count);
  pairs.second.reserve(count);
  for (PointIndex i = 0; i < points; ++i) {
    for (PointIndex j = i + 1; j < points; ++j) {
      pairs.first.push_back(i);
      pairs.second.push_back(j);
    }
  }
  return pairs;
}

void check_pairs(const PairList& pairs, std::int64_t points) {
  if (pairs.first.size() != pairs.second.size()) {
    throw UsageError(fmt::format("pair list: {} first and {} second points; expected as many",
                                 pairs.first.size(), pairs.second.size()));
  }
  for (std::size_t p = 0; p < pairs.first.size(); ++p) {
    for (const PointIndex index : {pairs.first[p], pairs.second[p]}) {
      if (index < 0 || index >= points) {
        throw UsageError(fmt::format("pair list: pair {} names point {}; expected 0 to {}", p,
                                     index, points - 1));
      }
    }
  }
}

}  // namespace siamese
