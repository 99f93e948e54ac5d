#include "landmarks/geometry.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "model/landmark_data.h"
#include "model/random.h"

namespace siamese::landmarks {
namespace {

Matrix<double> random_points(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  Matrix<double> points(rows, columns);
  Random random(seed);
  for (double& element : points.elements) element = random.uniform();
  return points;
}

Matrix<double> distances_to(const Matrix<double>& points, const Matrix<double>& landmarks) {
  Matrix<double> distances(points.rows, landmarks.rows);
  for (std::int64_t i = 0; i < points.rows; ++i) {
    for (std::int64_t k = 0; k < landmarks.rows; ++k) {
      distances(i, k) = point_distance(points.row(i), landmarks.row(k));
    }
  }
  return distances;
}

void expect_near(const Matrix<double>& got, const Matrix<double>& want, double tolerance) {
  ASSERT_EQ(got.elements.size(), want.elements.size());
  for (std::size_t i = 0; i < want.elements.size(); ++i) {
    EXPECT_NEAR(got.elements[i], want.elements[i], tolerance) << "element " << i;
  }
}

class Spanning : public testing::TestWithParam<std::pair<std::int64_t, std::int64_t>> {};

TEST_P(Spanning, MultilaterationIsExact) {
  const auto [landmarks_count, dimensions] = GetParam();
  const Matrix<double> landmarks = random_points(landmarks_count, dimensions, 1);
  const Matrix<double> points = random_points(17, dimensions, 2);
  const Multilateration found = multilaterate(landmarks, distances_to(points, landmarks));
  EXPECT_EQ(found.rank, dimensions);
  expect_near(found.points, points, 1e-10);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Spanning,
                         testing::Values(std::pair{2, 1}, std::pair{3, 2}, std::pair{4, 3},
                                         std::pair{11, 10}, std::pair{30, 10}));

// Landmarks on a line tell where along it a point is, and nothing of where beside it.
TEST(Multilateration, LandmarksThatDoNotSpanGiveTheNearestSolution) {
  Matrix<double> landmarks(3, 2);
  landmarks.elements = {0, 1, 1, 1, 2, 1};
  Matrix<double> point(1, 2);
  point.elements = {0.25, 4};
  const Multilateration found = multilaterate(landmarks, distances_to(point, landmarks));
  EXPECT_EQ(found.rank, 1);
  EXPECT_NEAR(found.points(0, 0), 0.25, 1e-12);
  EXPECT_NEAR(found.points(0, 1), 1, 1e-12);
}

// A turn by 40 degrees with or without a reflection, and a shift.
class Moved : public testing::TestWithParam<double> {};

TEST_P(Moved, AlignmentUndoesAMotion) {
  const Matrix<double> target = random_points(20, 2, 3);
  Matrix<double> moving = target;
  const double c = std::cos(0.7);
  const double s = std::sin(0.7);
  for (std::int64_t r = 0; r < target.rows; ++r) {
    moving(r, 0) = c * target(r, 0) - s * target(r, 1) + 5;
    moving(r, 1) = GetParam() * (s * target(r, 0) + c * target(r, 1)) - 3;
  }
  const std::vector<std::int64_t> some{1, 4, 7, 19};
  expect_near(align(moving, target, some), target, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Reflection, Moved, testing::Values(1.0, -1.0));

TEST(Alignment, DoesNotScale) {
  const Matrix<double> target = random_points(20, 3, 4);
  Matrix<double> moving = target;
  for (double& element : moving.elements) element *= 2;
  std::vector<std::int64_t> all(20);
  std::iota(all.begin(), all.end(), 0);
  const Matrix<double> aligned = align(moving, target, all);
  EXPECT_NEAR(point_distance(aligned.row(0), aligned.row(1)),
              2 * point_distance(target.row(0), target.row(1)), 1e-12);
}

}  // namespace
}  // namespace siamese::landmarks
