#include "landmarks/measures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "model/landmark_data.h"

namespace siamese::landmarks {

Measures measure(const Matrix<double>& truth, const Matrix<double>& predicted) {
  Measures measures;
  double absolute_sum = 0;
  double product_sum = 0;
  double true_square_sum = 0;
  // Running means and co-moments (Welford), which do not cancel as sums of squares do.
  double mean_t = 0;
  double mean_p = 0;
  double moment_tt = 0;
  double moment_pp = 0;
  double moment_tp = 0;
  for (std::int64_t i = 0; i < truth.rows; ++i) {
    for (std::int64_t j = i + 1; j < truth.rows; ++j) {
      const double t = point_distance(truth.row(i), truth.row(j));
      const double p = point_distance(predicted.row(i), predicted.row(j));
      absolute_sum += std::abs(t - p);
      product_sum += t * p;
      true_square_sum += t * t;

      const double count = static_cast<double>(++measures.pairs);
      const double from_mean_t = t - mean_t;
      const double from_mean_p = p - mean_p;
      mean_t += from_mean_t / count;
      mean_p += from_mean_p / count;
      moment_tt += from_mean_t * (t - mean_t);
      moment_pp += from_mean_p * (p - mean_p);
      moment_tp += from_mean_t * (p - mean_p);
    }
  }
  measures.error_per_point = absolute_sum / static_cast<double>(truth.rows);
  measures.error_per_pair = absolute_sum / static_cast<double>(measures.pairs);
  if (moment_tt > 0 && moment_pp > 0) {
    const double r = moment_tp / (std::sqrt(moment_tt) * std::sqrt(moment_pp));
    measures.correlation = std::clamp(r, -1.0, 1.0);  // rounding may pass 1
  }
  if (true_square_sum > 0) measures.scale = product_sum / true_square_sum;
  return measures;
}

std::string describe_relation(const Measures& measures) {
  if (!measures.correlation) {
    return measures.pairs == 1 ? "there is but one pair, and nothing to relate it to"
                               : "the distances, true or predicted, are all the same: nothing "
                                 "relates them";
  }
  const double r = *measures.correlation;
  const std::string_view how = r >= 0.95  ? "follow the true ones closely"
                               : r >= 0.7 ? "follow the true ones in the main"
                               : r >= 0.3 ? "follow the true ones loosely"
                                          : "hardly follow the true ones";
  const double off = std::abs(measures.scale - 1);
  const std::string size = off <= 0.05
                               ? fmt::format("of the right length (scale {:.2f})", measures.scale)
                               : fmt::format("{:.0f}% too {} (scale {:.2f})", 100 * off,
                                             measures.scale < 1 ? "short" : "long", measures.scale);
  return fmt::format("the predicted distances {} (correlation {:.2f}) and are on the whole {}", how,
                     r, size);
}

}  // namespace siamese::landmarks
