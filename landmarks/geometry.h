#pragma once

#include <cstdint>
#include <span>

#include "model/matrix.h"

namespace siamese::landmarks {

/// Points from their distances to known landmarks, by linear least squares: subtracting the mean
/// over landmarks of |x - L_k|^2 = d_k^2 leaves equations linear in x,
///   2 (L_k - mean L) . x = (|L_k|^2 - mean |L|^2) - (d_k^2 - mean d^2).
/// landmarks [k, c], distances [n, k] -> points [n, c]: exact where the landmarks span all c
/// dimensions, which takes c + 1 of them; otherwise the solution nearest to their mean.
struct Multilateration {
  Matrix<double> points;
  std::int64_t rank = 0;  ///< dimensions that the landmarks span; exact where it is c
};

Multilateration multilaterate(const Matrix<double>& landmarks, const Matrix<double>& distances);

/// `moving` [n, c] shifted, turned and, where that fits better, reflected, but not scaled, so that
/// the named rows come nearest to those of `target` [n, c] in the sum of squares.
/// Source: Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.
Matrix<double> align(const Matrix<double>& moving, const Matrix<double>& target,
                     std::span<const std::int64_t> rows);

}  // namespace siamese::landmarks
