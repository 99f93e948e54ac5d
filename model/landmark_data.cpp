#include "model/landmark_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/error.h"

namespace siamese {
namespace {

constexpr std::int64_t fewest_points = 5;
// Fourth powers of distances, as correlations take them, then stay within a double.
constexpr double least_extent = 1e-70;
constexpr double greatest_extent = 1e70;

void check_sizes(std::int64_t points, std::int64_t landmarks, std::int64_t dimensions) {
  if (points < fewest_points) {
    throw UsageError(
        fmt::format("points: {}; expected at least {}, so that two of them can test the network",
                    points, fewest_points));
  }
  if (landmarks < 1 || landmarks > points) {
    throw UsageError(fmt::format("landmarks: {}; expected 1 to {}, for they are among the points",
                                 landmarks, points));
  }
  if (dimensions < 1) {
    throw UsageError(fmt::format("dimensions: {}; expected at least 1", dimensions));
  }
}

Matrix<double> landmark_distances(const Matrix<double>& points, std::int64_t landmarks) {
  Matrix<double> features(points.rows, landmarks);
  for (std::int64_t i = 0; i < points.rows; ++i) {
    for (std::int64_t k = 0; k < landmarks; ++k) {
      features(i, k) = point_distance(points.row(i), points.row(k));
    }
  }
  return features;
}

}  // namespace

LandmarkData uniform_landmark_data(std::int64_t points, std::int64_t landmarks,
                                   std::int64_t dimensions, NumpyRandom& random) {
  check_sizes(points, landmarks, dimensions);
  for (int consumed_by_doctest = 0; consumed_by_doctest < 2; ++consumed_by_doctest) {
    random.random_sample();
  }
  Matrix<double> drawn(points, dimensions);
  for (double& coordinate : drawn.elements) coordinate = random.random_sample();
  return landmark_data(std::move(drawn), landmarks, random);
}

LandmarkData landmark_data(Matrix<double> points, std::int64_t landmarks, NumpyRandom& random) {
  check_sizes(points.rows, landmarks, points.columns);
  LandmarkData data;
  data.points = std::move(points);
  data.landmarks = landmarks;
  data.features = landmark_distances(data.points, landmarks);
  data.split = train_test_split(data.points.rows, random);
  return data;
}

Split train_test_split(std::int64_t rows, NumpyRandom& random) {
  const std::vector<std::int64_t> order = random.permutation(rows);
  const auto border = order.begin() + test_count(rows);
  return {{border, order.end()}, {order.begin(), border}};
}

Matrix<double> select_rows(const Matrix<double>& matrix, std::span<const std::int64_t> rows) {
  Matrix<double> selected(static_cast<std::int64_t>(rows.size()), matrix.columns);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::ranges::copy(matrix.row(rows[r]), selected.row(static_cast<std::int64_t>(r)).begin());
  }
  return selected;
}

double point_distance(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += (a[c] - b[c]) * (a[c] - b[c]);
  return std::sqrt(sum);
}

std::vector<double> pair_distances(const Matrix<double>& points, const PairList& pairs) {
  std::vector<double> distances;
  distances.reserve(pairs.first.size());
  for (std::size_t p = 0; p < pairs.first.size(); ++p) {
    distances.push_back(point_distance(points.row(pairs.first[p]), points.row(pairs.second[p])));
  }
  return distances;
}

Scaling scale_to_unit(Matrix<double>& points) {
  Scaling scaling;
  double extent = 0;
  for (std::int64_t c = 0; c < points.columns; ++c) {
    double least = points(0, c);
    double greatest = points(0, c);
    for (std::int64_t r = 1; r < points.rows; ++r) {
      least = std::min(least, points(r, c));
      greatest = std::max(greatest, points(r, c));
    }
    scaling.offset.push_back(least);
    extent = std::max(extent, greatest - least);
  }
  if (extent > 0 && (extent < least_extent || extent > greatest_extent)) {
    throw Failure(fmt::format("points: coordinates differ by {} at most; expected {} to {}, or 0",
                              extent, least_extent, greatest_extent));
  }
  if (extent > 0) scaling.scale = extent;
  for (std::int64_t r = 0; r < points.rows; ++r) {
    for (std::int64_t c = 0; c < points.columns; ++c) {
      points(r, c) = (points(r, c) - scaling.offset[static_cast<std::size_t>(c)]) / scaling.scale;
    }
  }
  return scaling;
}

}  // namespace siamese
