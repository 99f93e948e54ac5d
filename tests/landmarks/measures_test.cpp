#include "landmarks/measures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

namespace siamese::landmarks {
namespace {

Matrix<double> line(std::vector<double> places) {
  Matrix<double> points(static_cast<std::int64_t>(places.size()), 1);
  points.elements = std::move(places);
  return points;
}

// Distances 1, 3, 2 against 2, 3, 1: two errors of 1.
TEST(Measures, AreTheScriptsSumAndTheMean) {
  const Measures measures = measure(line({0, 1, 3}), line({0, 2, 3}));
  EXPECT_EQ(measures.pairs, 3);
  EXPECT_DOUBLE_EQ(measures.error_per_point, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(measures.error_per_pair, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(*measures.correlation, 0.5);
  EXPECT_DOUBLE_EQ(measures.scale, (2 + 9 + 2) / 14.0);
}

TEST(Measures, ShiftAndReflectionChangeNothing) {
  const Measures measures = measure(line({0, 1, 3, 7}), line({5, 4, 2, -2}));
  EXPECT_DOUBLE_EQ(measures.error_per_pair, 0.0);
  EXPECT_DOUBLE_EQ(*measures.correlation, 1.0);
  EXPECT_DOUBLE_EQ(measures.scale, 1.0);
}

TEST(Measures, PerPointAndPerPairDifferByHalfTheOthers) {
  const Measures measures = measure(line({0, 1, 3, 7, 15}), line({0, 2, 6, 14, 30}));
  EXPECT_DOUBLE_EQ(measures.error_per_point, 2 * measures.error_per_pair);
  EXPECT_DOUBLE_EQ(measures.scale, 2.0);
  EXPECT_LE(*measures.correlation, 1.0);
}

TEST(Measures, NoCorrelationWhereNothingVaries) {
  EXPECT_FALSE(measure(line({0, 1, 3}), line({2, 2, 2})).correlation.has_value());
  EXPECT_THAT(describe_relation(measure(line({0, 1, 3}), line({2, 2, 2}))),
              testing::HasSubstr("are all the same: nothing relates them"));
  EXPECT_THAT(describe_relation(measure(line({0, 1}), line({0, 3}))),
              testing::HasSubstr("but one pair"));
}

// The squares' product has no double; the distances and their squares have.
TEST(Measures, CorrelateWhateverTheUnit) {
  for (const double unit : {1e-100, 1e-50, 1e100}) {
    const Measures measures = measure(line({0, 1, 3}), line({0, 2 * unit, 3 * unit}));
    EXPECT_NEAR(*measures.correlation, 0.5, 1e-12) << unit;
    const Measures both = measure(line({0, unit, 3 * unit}), line({0, 2 * unit, 3 * unit}));
    EXPECT_NEAR(*both.correlation, 0.5, 1e-12) << unit;
  }
}

struct Words {
  double correlation;
  double scale;
  const char* expected;
};

void PrintTo(const Words& words, std::ostream* out) { *out << words.expected; }

class Relation : public testing::TestWithParam<Words> {};

TEST_P(Relation, IsSaidInWords) {
  Measures measures;
  measures.correlation = GetParam().correlation;
  measures.scale = GetParam().scale;
  EXPECT_EQ(describe_relation(measures), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Sentences, Relation,
    testing::Values(
        Words{0.99, 1.01,
              "the predicted distances follow the true ones closely (correlation 0.99) and are on "
              "the whole of the right length (scale 1.01)"},
        Words{0.8, 0.75,
              "the predicted distances follow the true ones in the main (correlation 0.80) and are "
              "on the whole 25% too short (scale 0.75)"},
        Words{0.3, 1.5,
              "the predicted distances follow the true ones loosely (correlation 0.30) and are on "
              "the whole 50% too long (scale 1.50)"},
        Words{-0.9, 1.0,
              "the predicted distances hardly follow the true ones (correlation -0.90) and are on "
              "the whole of the right length (scale 1.00)"}));

}  // namespace
}  // namespace siamese::landmarks
