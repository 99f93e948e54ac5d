#include "model/landmark_data.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/error.h"
#include "tests/golden/golden.h"

namespace siamese {
namespace {

struct Case {
  std::uint32_t seed;
  std::int64_t points;
  std::int64_t landmarks;
  std::int64_t dimensions;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.seed << " " << c.points << "x" << c.landmarks << "x" << c.dimensions;
}

class ScriptData : public testing::TestWithParam<Case> {
 protected:
  std::vector<double> golden(const std::string& what) {
    const Case& c = GetParam();
    return golden_values("numpy_stream.csv", fmt::format("seed{} {}x{}x{}_{}", c.seed, c.points,
                                                         c.landmarks, c.dimensions, what));
  }
};

std::vector<double> rows(const Matrix<double>& matrix, std::int64_t first, std::int64_t last) {
  std::vector<double> values(matrix.row(first).begin(), matrix.row(first).end());
  values.insert(values.end(), matrix.row(last).begin(), matrix.row(last).end());
  return values;
}

std::vector<double> as_doubles(const std::vector<std::int64_t>& values) {
  return {values.begin(), values.end()};
}

TEST_P(ScriptData, IsDrawnAsTheScriptDrawsIt) {
  const Case& c = GetParam();
  NumpyRandom random(c.seed);
  const LandmarkData data = uniform_landmark_data(c.points, c.landmarks, c.dimensions, random);
  EXPECT_EQ(rows(data.points, 0, c.points - 1), golden("points"));
  EXPECT_EQ(as_doubles(data.split.train), golden("train"));
  EXPECT_EQ(as_doubles(data.split.test), golden("test"));

  // SciPy adds the squares in another order: equal to a few units in the last place.
  const std::vector<double> features = rows(data.features, 1, c.points - 1);
  const std::vector<double> want = golden("features");
  ASSERT_EQ(features.size(), want.size());
  for (std::size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(features[i], want[i], 4e-16 * 4);

  const std::vector<double> after{random.random_sample(), random.random_sample()};
  EXPECT_EQ(after, golden("sample_after"));
}

INSTANTIATE_TEST_SUITE_P(Golden, ScriptData,
                         testing::Values(Case{0, 41, 11, 10}, Case{7, 50, 4, 3}));

// The numbers that the original script prints or that were read from its variables.
TEST(LandmarkData, DefaultIsTheOriginalExperiment) {
  NumpyRandom random(0);
  const LandmarkData data = uniform_landmark_data(41, 11, 10, random);
  EXPECT_EQ(data.points(0, 0), 0.6027633760716439);
  EXPECT_EQ(data.points.elements.back(), 0.42879572249823783);
  EXPECT_DOUBLE_EQ(point_distance(data.points.row(5), data.points.row(3)), 1.202183747726667);
  EXPECT_EQ(data.features(3, 3), 0.0);
  EXPECT_EQ(data.split.train.size(), 30U);
  EXPECT_EQ(data.split.test, (std::vector<std::int64_t>{27, 4, 28, 0, 15, 39, 20, 34, 19, 2, 3}));
  EXPECT_EQ(std::vector(data.split.train.begin(), data.split.train.begin() + 5),
            (std::vector<std::int64_t>{18, 11, 35, 30, 7}));
}

TEST(LandmarkData, RefusesSizesThatCannotBe) {
  NumpyRandom random(0);
  EXPECT_THROW(uniform_landmark_data(4, 1, 1, random), UsageError);
  EXPECT_THROW(uniform_landmark_data(-1, 1, 1, random), UsageError);
  EXPECT_THROW(uniform_landmark_data(41, 42, 10, random), UsageError);
  EXPECT_THROW(uniform_landmark_data(41, 0, 10, random), UsageError);
  EXPECT_THROW(uniform_landmark_data(41, 11, 0, random), UsageError);
  EXPECT_THROW(landmark_data(Matrix<double>(10, 0), 2, random), UsageError);
}

TEST(LandmarkData, PairDistancesFollowTheList) {
  Matrix<double> points(3, 2);
  points.elements = {0, 0, 3, 4, 3, 0};
  EXPECT_EQ(pair_distances(points, all_pairs_list(3)), (std::vector<double>{5, 3, 4}));
}

TEST(LandmarkData, SelectsRowsInTheirOrder) {
  Matrix<double> points(3, 2);
  points.elements = {1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> order{2, 0};
  EXPECT_EQ(select_rows(points, order).elements, (std::vector<double>{5, 6, 1, 2}));
}

TEST(Scaling, KeepsProportions) {
  Matrix<double> points(3, 2);
  points.elements = {-1, 10, 3, 11, 1, 12};
  const Scaling scaling = scale_to_unit(points);
  EXPECT_EQ(scaling.offset, (std::vector<double>{-1, 10}));
  EXPECT_EQ(scaling.scale, 4.0);
  EXPECT_EQ(points.elements, (std::vector<double>{0, 0, 1, 0.25, 0.5, 0.5}));
}

TEST(Scaling, EqualPoints) {
  Matrix<double> equal(2, 1);
  equal.elements = {7, 7};
  EXPECT_EQ(scale_to_unit(equal).scale, 1.0);
  EXPECT_EQ(equal.elements, (std::vector<double>{0, 0}));
}

TEST(Scaling, RefusesExtentsWhosePowersOverflow) {
  for (const double extent : {1e71, 1e200, 1.5e308, 1e-71, 5e-324}) {
    Matrix<double> points(2, 1);
    points.elements = {-extent, extent};
    EXPECT_THAT([&points] { scale_to_unit(points); },
                testing::ThrowsMessage<Failure>(testing::HasSubstr("; expected 1e-70 to 1e+70")));
  }
}

}  // namespace
}  // namespace siamese
