#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "model/matrix.h"
#include "model/numpy_random.h"
#include "model/pairs.h"

namespace siamese {

/// Which rows of the data train the network and which test it, in the order drawn.
struct Split {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> test;
};

/// The experiment's data: points C [n, c], the first `landmarks` of which are the landmarks; a
/// point's features are its Euclidean distances to the landmarks, X [n, landmarks].
struct LandmarkData {
  Matrix<double> points;
  std::int64_t landmarks = 0;
  Matrix<double> features;
  Split split;
};

/// Points uniform in [0, 1)^dimensions, features and split, drawn from `random` as the original
/// script draws them. Its first two numbers go to the script's own doctest before the points are
/// drawn, so the caller hands a stream that is just seeded. Throws as landmark_data does.
LandmarkData uniform_landmark_data(std::int64_t points, std::int64_t landmarks,
                                   std::int64_t dimensions, NumpyRandom& random);

/// Features and split for given points. Throws UsageError for fewer than 5 points (a test set of
/// two needs as many), no column, or landmarks outside 1 .. number of points.
LandmarkData landmark_data(Matrix<double> points, std::int64_t landmarks, NumpyRandom& random);

/// A quarter of the rows, rounded up, tests, and the rest trains.
constexpr std::int64_t test_count(std::int64_t rows) { return rows / 4 + (rows % 4 == 0 ? 0 : 1); }

/// What scikit-learn's train_test_split does with a stream and no options.
Split train_test_split(std::int64_t rows, NumpyRandom& random);

/// The named rows of a matrix, in that order.
Matrix<double> select_rows(const Matrix<double>& matrix, std::span<const std::int64_t> rows);

/// Euclidean distance of two points of equal width.
double point_distance(std::span<const double> a, std::span<const double> b);

/// The distance of each listed pair of points: its target.
std::vector<double> pair_distances(const Matrix<double>& points, const PairList& pairs);

/// Coordinates brought into [0, 1] by one scale for all columns, so that distances keep their
/// proportions: scaled = (original - offset) / scale.
struct Scaling {
  std::vector<double> offset;  ///< the least coordinate of each column
  double scale = 1.0;          ///< the largest extent of any column; 1 where all points are equal
};

/// Scales in place. Throws Failure where the largest extent is neither 0 nor within 1e-70 to 1e70,
/// so that distances, and what is computed from them, stay within a double.
Scaling scale_to_unit(Matrix<double>& points);

}  // namespace siamese
