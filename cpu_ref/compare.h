#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/error.h"

namespace siamese::ref {

/// How far a result may be from the reference. An element passes where
///   |got - want| <= relative * (|want| + scale) + slack,
/// with scale the root mean square of the whole reference, or least_scale where that is more, so
/// that elements which nearly cancel are judged by what they were summed from, and slack [count]
/// what an element may differ by because a kink of the loss lies within rounding of an input
/// (empty: nothing).
struct Tolerance {
  double relative = 0.0;
  std::vector<double> slack = {};
  double least_scale = 0.0;
};

/// `factor` times the unit roundoff times the growth of rounding errors over a sum of
/// `reduction_length` terms, which is its square root for errors of random sign.
inline Tolerance tolerance(double unit_roundoff, std::int64_t reduction_length,
                           double factor = 4.0) {
  const double length = static_cast<double>(std::max<std::int64_t>(reduction_length, 1));
  return {factor * unit_roundoff * std::sqrt(length)};
}

/// What a comparison found: whether every element passed, and the element that came nearest to, or
/// farthest past, its tolerance.
struct Comparison {
  std::string what;
  bool ok = true;
  std::int64_t count = 0;     ///< elements compared
  std::int64_t failures = 0;  ///< elements that did not pass
  std::int64_t index = -1;    ///< the worst element; -1 where there was none to compare
  double got = 0.0;
  double want = 0.0;
  double error = 0.0;
  double tolerance = 0.0;
  double ratio =
      0.0;  ///< error / tolerance of the worst element; infinite where one of them is not finite

  std::string describe() const {
    if (index < 0) return fmt::format("{}: nothing to compare", what);
    return fmt::format(
        "{}: {} of {} elements wrong; worst [{}]: got {:.9g}, want {:.9g}, error {:.3g}, "
        "tolerance {:.3g}",
        what, failures, count, index, got, want, error, tolerance);
  }
};

/// Compares a result with the reference, in accept form: an element that is not shown to be near
/// enough fails, so a NaN fails, and so does an infinity. A tolerance that is not finite lets
/// nothing pass: a reference beyond 1e154 has one, whose squares overflow in their sum. Where the
/// reference itself is not finite the result must be the same: NaN for NaN, infinity of the same
/// sign.
template <class Got>
Comparison compare(std::string what, std::span<const Got> got, std::span<const double> want,
                   const Tolerance& tolerance) {
  if (got.size() != want.size() ||
      (!tolerance.slack.empty() && tolerance.slack.size() != want.size())) {
    throw UsageError(fmt::format("{}: {} elements against {} of the reference; expected as many",
                                 what, got.size(), want.size()));
  }
  double sum_of_squares = 0.0;
  std::int64_t finite = 0;
  for (const double w : want) {
    if (!std::isfinite(w)) continue;
    sum_of_squares += w * w;
    ++finite;
  }
  const double scale =
      std::max(tolerance.least_scale,
               std::sqrt(sum_of_squares / static_cast<double>(std::max<std::int64_t>(finite, 1))));

  Comparison result;
  result.what = std::move(what);
  result.count = static_cast<std::int64_t>(want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double g = static_cast<double>(got[i]);
    const double w = want[i];
    const double slack = tolerance.slack.empty() ? 0.0 : tolerance.slack[i];
    const double allowed = tolerance.relative * (std::abs(w) + scale) + slack;
    const double error = std::abs(g - w);

    bool passes = false;
    double ratio = HUGE_VAL;
    if (std::isfinite(w)) {
      const bool comparable = std::isfinite(g) && std::isfinite(allowed);
      passes = comparable && error <= allowed;
      if (comparable) ratio = error == 0.0 ? 0.0 : error / allowed;
    } else {
      passes = std::isnan(w) ? std::isnan(g) : g == w;
      if (passes) ratio = 0.0;
    }
    if (!passes) {
      result.ok = false;
      ++result.failures;
    }
    if (result.index < 0 || ratio > result.ratio) {
      result.index = static_cast<std::int64_t>(i);
      result.got = g;
      result.want = w;
      result.error = error;
      result.tolerance = allowed;
      result.ratio = ratio;
    }
  }
  return result;
}

}  // namespace siamese::ref
