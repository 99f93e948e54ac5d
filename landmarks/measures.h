#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/matrix.h"

namespace siamese::landmarks {

/// How well predicted points reproduce the distances between the true ones, over every pair i < j.
/// Shifts, turns and reflections of the predicted points change nothing.
struct Measures {
  std::int64_t pairs = 0;
  /// The original script's error: sum over pairs of |true - predicted distance| / number of points.
  double error_per_point = 0;
  /// Mean over pairs of |true - predicted distance|: comparable between numbers of points.
  double error_per_pair = 0;
  /// Pearson's r of true and predicted distances; nothing where either does not vary.
  std::optional<double> correlation;
  /// Least squares of predicted = scale * true: below 1 the predicted distances are too short.
  double scale = 0;
};

/// Both [n, c] with n >= 2; the columns may differ in number.
Measures measure(const Matrix<double>& truth, const Matrix<double>& predicted);

/// Correlation and scale in one sentence.
std::string describe_relation(const Measures& measures);

}  // namespace siamese::landmarks
