// The reference's losses in closed form, on the inputs that broke well-known systems.

#include "cpu_ref/loss.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/random.h"

namespace siamese::ref {
namespace {

RowMatrix<double> rows(std::initializer_list<std::initializer_list<double>> values) {
  RowMatrix<double> matrix(static_cast<Eigen::Index>(values.size()),
                           static_cast<Eigen::Index>(values.begin()->size()));
  Eigen::Index i = 0;
  for (const auto& row : values) {
    Eigen::Index j = 0;
    for (const double v : row) matrix(i, j++) = v;
    ++i;
  }
  return matrix;
}

LossValue<double> one_pair(const Loss& loss, const RowMatrix<double>& e, double target,
                           const std::vector<double>& merge = {}) {
  const std::vector<double> targets{target};
  return pair_loss<double>(loss, e, {{0}, {1}}, targets, merge);
}

/// Weights 1 and an offset of 0, where a distance has them.
std::vector<double> plain_merge(Distance distance, Eigen::Index width) {
  std::vector<double> merge(static_cast<std::size_t>(merge_parameters(distance, width)), 1.0);
  if (has_offset(distance)) merge.back() = 0.0;
  return merge;
}

const RowMatrix<double> a_and_b = rows({{1, 2, 3}, {2, 0, 3}});  // a - b = (-1, 2, 0)

TEST(Distances, ClosedForms) {
  EXPECT_DOUBLE_EQ(one_pair({Distance::sqeuclidean}, a_and_b, 0).value, 5.0);
  EXPECT_DOUBLE_EQ(one_pair({Distance::euclidean}, a_and_b, 0).value, std::sqrt(5.0));
  EXPECT_DOUBLE_EQ(one_pair({Distance::manhattan}, a_and_b, 0).value, 3.0);
  EXPECT_DOUBLE_EQ(one_pair({Distance::cosine}, a_and_b, 0).value,
                   1.0 - 11.0 / std::sqrt(14.0 * 13.0));
  EXPECT_DOUBLE_EQ(one_pair({Distance::chi_square}, a_and_b, 0, {0.5, 2.0, 7.0}).value,
                   0.5 * 1.0 / 3.0 + 2.0 * 4.0 / 2.0);
  EXPECT_DOUBLE_EQ(one_pair({Distance::weighted_l1}, a_and_b, 0, {0.5, 2.0, 7.0, 0.25}).value,
                   0.5 * 1.0 + 2.0 * 2.0 + 0.25);
}

// D = 1/3 w_1 + 2 w_2 of 1 and 2, 2 and 0; the loss is D.
TEST(Distances, GradientsOfChiSquare) {
  const LossValue<double> loss = one_pair({Distance::chi_square}, a_and_b, 0, {0.5, 2.0, 7.0});
  EXPECT_TRUE(loss.gradient.isApprox(
      rows({{0.5 * -7.0 / 9.0, 2.0 * 1.0, 0.0}, {0.5 * 5.0 / 9.0, 2.0 * -3.0, 0.0}}), 1e-15));
  EXPECT_TRUE(loss.merge_gradient.isApprox(rows({{1.0 / 3.0, 2.0, 0.0}}), 1e-15));
}

TEST(Distances, GradientsOfWeightedL1) {
  const LossValue<double> loss =
      one_pair({Distance::weighted_l1}, a_and_b, 0, {0.5, 2.0, 7.0, 0.25});
  EXPECT_EQ(loss.gradient, rows({{-0.5, 2.0, 0.0}, {0.5, -2.0, 0.0}}));
  EXPECT_EQ(RowMatrix<double>(loss.merge_gradient), rows({{1.0, 2.0, 0.0, 1.0}}));
}

TEST(Distances, ChiSquareOfTwoZerosIsZero) {
  const LossValue<double> loss =
      one_pair({Distance::chi_square}, rows({{0.0, 1.0}, {0.0, 0.0}}), 0, {3.0, 1.0});
  EXPECT_EQ(loss.value, 1.0);
  EXPECT_EQ(loss.gradient, rows({{0.0, 1.0}, {0.0, -3.0}}));
  EXPECT_EQ(RowMatrix<double>(loss.merge_gradient), rows({{0.0, 1.0}}));
}

TEST(Distances, IdenticalPairHasDistanceAndGradientZero) {
  Random random(1);
  RowMatrix<double> e(2, 128);
  for (Eigen::Index k = 0; k < 128; ++k) e(0, k) = e(1, k) = random.uniform();
  for (const Distance distance : {Distance::sqeuclidean, Distance::euclidean, Distance::manhattan,
                                  Distance::chi_square, Distance::weighted_l1}) {
    const LossValue<double> loss =
        one_pair({distance, Criterion::absolute}, e, 0.5, plain_merge(distance, 128));
    EXPECT_EQ(loss.value, 0.5) << name(distance);  // |0 - 0.5|: the distance is exactly 0
    EXPECT_EQ(loss.gradient.cwiseAbs().maxCoeff(), 0.0) << name(distance);
  }
}

TEST(Distances, ZeroNormHasCosineDistanceOneAndNoGradient) {
  const LossValue<double> loss = one_pair({Distance::cosine}, rows({{0, 0}, {1, 2}}), 0.0);
  EXPECT_EQ(loss.value, 1.0);
  EXPECT_EQ(loss.gradient.cwiseAbs().maxCoeff(), 0.0);
}

TEST(Distances, LastOfManyFeaturesCounts) {
  RowMatrix<double> e = RowMatrix<double>::Zero(2, 1025);
  e(0, 1024) = 3.0;
  EXPECT_EQ(one_pair({Distance::euclidean}, e, 0.0).value, 3.0);
}

TEST(Distances, ManyVectorsInFloatAreNeverNegativeAndZeroToThemselves) {
  Random random(8);
  RowMatrix<float> e(200, 128);
  for (Eigen::Index k = 0; k < e.size(); ++k) e.data()[k] = static_cast<float>(random.uniform());
  for (Eigen::Index i = 0; i < e.rows(); ++i) {
    for (Eigen::Index j = 0; j < e.rows(); ++j) {
      const float d = distance<float>(Distance::euclidean, e.row(i), e.row(j)).value;
      ASSERT_TRUE(d >= 0.0F && std::isfinite(d));
      ASSERT_EQ(d == 0.0F, i == j);
    }
  }
}

TEST(Criteria, ClosedForms) {
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::absolute}, 2.0, 0.5).value, 1.5);
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::absolute}, 0.5, 2.0).derivative, -1.0);
  EXPECT_EQ(criterion<double>({{}, Criterion::absolute}, 2.0, 2.0).derivative, 0.0);
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::squared}, 2.0, 0.5).value, 2.25);
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::squared}, 2.0, 0.5).derivative, 3.0);
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::huber, 1.0}, 2.0, 1.5).value, 0.125);
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::huber, 1.0}, 4.0, 1.0).value, 2.5);
  EXPECT_DOUBLE_EQ(criterion<double>({{}, Criterion::huber, 0.5}, 1.0, 4.0).derivative, -0.5);
}

// t = 0 marks a similar pair, t = 1 a dissimilar one; the hinge is squared and halved.
TEST(Criteria, ContrastiveOfHadsell) {
  const Loss loss{Distance::euclidean, Criterion::contrastive, 1.0};
  EXPECT_EQ(criterion<double>(loss, 0.0, 0.0).value, 0.0);
  EXPECT_EQ(criterion<double>(loss, 2.0, 1.0).value, 0.0);
  EXPECT_EQ(criterion<double>(loss, 2.0, 1.0).derivative, 0.0);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 0.5, 1.0).value, 0.125);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 0.5, 1.0).derivative, -0.5);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 0.5, 0.0).value, 0.125);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 0.5, 0.0).derivative, 0.5);
}

// D is a logit, t = 1 a similar pair: -log of the probability of what the target says.
TEST(Criteria, LogisticOfALogit) {
  const Loss loss{{}, Criterion::logistic};
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 0.0, 1.0).value, std::log(2.0));
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 0.0, 1.0).derivative, -0.5);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, std::log(3.0), 1.0).value, std::log(4.0 / 3.0));
  EXPECT_DOUBLE_EQ(criterion<double>(loss, std::log(3.0), 1.0).derivative, -0.25);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, std::log(3.0), 0.0).value, std::log(4.0));
  EXPECT_DOUBLE_EQ(criterion<double>(loss, std::log(3.0), 0.0).derivative, 0.75);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, std::log(3.0), 0.25).value,
                   std::log(4.0) - 0.25 * std::log(3.0));
  EXPECT_DOUBLE_EQ(criterion<double>(loss, std::log(3.0), 0.25).derivative, 0.5);
}

TEST(Criteria, LogisticOfLargeLogitsNeitherOverflowsNorCancels) {
  const Loss loss{{}, Criterion::logistic};
  EXPECT_EQ(criterion<double>(loss, 1e300, 0.0).value, 1e300);
  EXPECT_EQ(criterion<double>(loss, 1e300, 1.0).value, 0.0);
  EXPECT_EQ(criterion<double>(loss, -1e300, 1.0).value, 1e300);
  EXPECT_EQ(criterion<double>(loss, -1e300, 1.0).derivative, -1.0);
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 100.0, 1.0).value, std::exp(-100.0));
  EXPECT_DOUBLE_EQ(criterion<double>(loss, 100.0, 1.0).derivative, -std::exp(-100.0));
}

TEST(Batches, OnlyDissimilarPairsAreFinite) {
  const std::vector<double> targets{1.0, 1.0};
  const LossValue<double> loss = pair_loss<double>(
      {Distance::euclidean, Criterion::contrastive, 10.0}, a_and_b, {{0, 0}, {1, 1}}, targets);
  EXPECT_NEAR(loss.value, 0.5 * std::pow(10.0 - std::sqrt(5.0), 2), 1e-12);
}

TEST(Batches, EmptyBatchHasLossAndGradientZero) {
  for (const Eigen::Index n : {0, 3}) {
    const LossValue<double> loss =
        pair_loss<double>({}, RowMatrix<double>::Constant(n, 2, 1.0), {}, {});
    EXPECT_EQ(loss.value, 0.0);
    EXPECT_EQ(loss.gradient.rows(), n);
    EXPECT_EQ(loss.gradient.squaredNorm(), 0.0);
  }
  EXPECT_EQ(all_pairs_loss<double>({}, RowMatrix<double>::Ones(1, 2), RowMatrix<double>::Ones(1, 2))
                .value,
            0.0);
}

TEST(Batches, SelfPairHasItsLossAndNoGradient) {
  const std::vector<double> targets{0.75};
  for (const Distance distance : all_distances) {
    const LossValue<double> loss = pair_loss<double>({distance, Criterion::squared}, a_and_b,
                                                     {{1}, {1}}, targets, plain_merge(distance, 3));
    EXPECT_NEAR(loss.value, 0.75 * 0.75, 1e-15) << name(distance);
    EXPECT_EQ(loss.gradient.squaredNorm(), 0.0) << name(distance);
    if (has_weights(distance)) {
      EXPECT_EQ(loss.merge_gradient.head(3).squaredNorm(), 0.0) << name(distance);
    }
    if (has_offset(distance)) {
      EXPECT_EQ(loss.merge_gradient(3), -1.5) << name(distance);
    }
  }
}

TEST(Batches, CountsThatDisagreeAreErrors) {
  const std::vector<double> two_targets{1.0, 2.0};
  const RowMatrix<double> e = RowMatrix<double>::Random(4, 3);
  EXPECT_THROW(pair_loss<double>({}, e, {{0}, {1}}, two_targets), UsageError);
  EXPECT_THROW(as_written_loss<double>(e, {{0}, {1}}, two_targets), UsageError);
  EXPECT_THROW(pair_loss<double>({}, e, {{0, 1}, {1}}, two_targets), UsageError);
  EXPECT_THROW(pair_loss<double>({}, e, {{0, 4}, {1, 2}}, two_targets), UsageError);
  EXPECT_THROW(pair_loss<double>({}, e, {{0, -1}, {1, 2}}, two_targets), UsageError);
  EXPECT_THROW(all_pairs_loss<double>({}, e, RowMatrix<double>::Random(3, 3)), UsageError);
  for (const Distance distance :
       {Distance::euclidean, Distance::chi_square, Distance::weighted_l1}) {
    EXPECT_THROW(one_pair({distance}, e, 1.0, two_targets), UsageError) << name(distance);
    EXPECT_THROW(all_pairs_loss<double>({distance}, e, e, two_targets), UsageError)
        << name(distance);
  }
}

TEST(Batches, NanInAnEmbeddingReachesLossAndGradient) {
  RowMatrix<double> e = a_and_b;
  e(0, 1) = std::numeric_limits<double>::quiet_NaN();
  for (const Distance distance : all_distances) {
    for (const Criterion criterion : all_criteria) {
      const LossValue<double> loss =
          one_pair({distance, criterion, 1.0}, e, 1.0, plain_merge(distance, 3));
      EXPECT_TRUE(std::isnan(loss.value)) << name(distance) << ' ' << name(criterion);
      EXPECT_TRUE(std::isnan(loss.gradient(0, 1))) << name(distance) << ' ' << name(criterion);
    }
  }
}

TEST(Batches, AllPairsIsTheListOfAllPairs) {
  Random random(4);
  RowMatrix<double> e(9, 4);
  RowMatrix<double> c(9, 3);
  for (Eigen::Index k = 0; k < e.size(); ++k) e.data()[k] = random.uniform();
  for (Eigen::Index k = 0; k < c.size(); ++k) c.data()[k] = random.uniform();
  const PairList list = all_pairs_list(9);
  std::vector<double> targets;
  for (std::size_t p = 0; p < list.first.size(); ++p) {
    targets.push_back((c.row(list.first[p]) - c.row(list.second[p])).norm());
  }
  for (const Distance distance : all_distances) {
    const std::vector<double> merge = plain_merge(distance, 4);
    const LossValue<double> all = all_pairs_loss<double>({distance}, e, c, merge);
    const LossValue<double> listed = pair_loss<double>({distance}, e, list, targets, merge);
    EXPECT_NEAR(all.value, listed.value, 1e-14);
    EXPECT_LT((all.merge_gradient - listed.merge_gradient).norm(), 1e-14);
    EXPECT_LT((all.gradient - listed.gradient).cwiseAbs().maxCoeff(), 1e-14);
  }
}

// The broadcast of the original script: two pairs, distances 1 and 4, targets 1 and 2. All four
// combinations count, |1-1| + |1-2| + |4-1| + |4-2| = 6 over 4; without it |1-1| + |4-2| over 2.
TEST(AsWritten, AveragesEveryDistanceWithEveryTarget) {
  const RowMatrix<double> e = rows({{0, 0}, {1, 0}, {0, 2}});
  const PairList pairs{{0, 0}, {1, 2}};
  const std::vector<double> targets{1.0, 2.0};
  EXPECT_DOUBLE_EQ(as_written_loss<double>(e, pairs, targets).value, 1.5);
  EXPECT_DOUBLE_EQ(pair_loss<double>({Distance::sqeuclidean}, e, pairs, targets).value, 1.0);
}

}  // namespace
}  // namespace siamese::ref
