#include "model/loss.h"

#include <gtest/gtest.h>

#include "model/adam.h"
#include "model/error.h"
#include "model/numbers.h"
#include "model/parameters.h"

namespace siamese {
namespace {

TEST(LossNames, AbsoluteIsTheDefault) {
  EXPECT_EQ(parse_loss("euclidean"), (Loss{Distance::euclidean, Criterion::absolute}));
  EXPECT_EQ(parse_loss("manhattan/huber:0.5"), (Loss{Distance::manhattan, Criterion::huber, 0.5}));
  EXPECT_EQ(parse_loss("cosine/squared"), (Loss{Distance::cosine, Criterion::squared}));
}

TEST(LossNames, NameIsTheInverseOfParse) {
  for (const Distance distance : all_distances) {
    for (const Criterion criterion : all_criteria) {
      const Loss loss{distance, criterion, has_constant(criterion) ? 0.3 : 1.0};
      EXPECT_EQ(parse_loss(name(loss)), loss) << name(loss);
    }
  }
}

TEST(LossNames, ConstantsAreThoseWhoseSquaresFloat32Holds) {
  EXPECT_EQ(parse_loss("euclidean/huber:1e-18").constant, 1e-18);
  EXPECT_EQ(parse_loss("euclidean/huber:1e18").constant, 1e18);
  EXPECT_THROW(parse_loss("euclidean/huber:9e-19"), UsageError);
  EXPECT_THROW(parse_loss("euclidean/huber:1.1e18"), UsageError);
}

TEST(LossNames, CriteriaOfLabelsSayWhatTheyMean) {
  EXPECT_EQ(name(Criterion::contrastive), "contrastive_1_is_dissimilar");
  EXPECT_EQ(name(Criterion::logistic), "logistic_1_is_similar");
}

class FaultyLoss : public testing::TestWithParam<const char*> {};

TEST_P(FaultyLoss, IsRefused) { EXPECT_THROW(parse_loss(GetParam()), UsageError); }

INSTANTIATE_TEST_SUITE_P(
    Texts, FaultyLoss,
    testing::Values("", "l2", "euclidean/", "euclidean/l1", "euclidean:1",
                    "euclidean/huber:", "euclidean/huber:x", "euclidean/huber:-1",
                    "euclidean/huber:0", "euclidean/huber:nan", "euclidean/huber:inf",
                    "euclidean/huber:1e39", "euclidean/huber:1e-50", "euclidean/absolute:1",
                    "Euclidean", "euclidean/logistic_1_is_similar:1", "euclidean/huber:1,5"));

TEST(Merge, HasWeightsAndPerhapsAnOffset) {
  EXPECT_EQ(merge_parameters(Distance::euclidean, 10), 0);
  EXPECT_EQ(merge_parameters(Distance::chi_square, 10), 10);
  EXPECT_EQ(merge_parameters(Distance::weighted_l1, 10), 11);
}

TEST(Merge, BeginsAsThePlainDistance) {
  const Network network = Network::parse("3-5relu-2");
  const std::vector<float> plain = glorot_uniform(network, 1);
  EXPECT_EQ(initial_parameters(network, {Distance::manhattan}, 1), plain);
  for (const Distance distance : {Distance::chi_square, Distance::weighted_l1}) {
    std::vector<float> want = plain;
    want.insert(want.end(), {1.0F, 1.0F});
    if (distance == Distance::weighted_l1) want.push_back(0.0F);
    EXPECT_EQ(initial_parameters(network, {distance}, 1), want);
    EXPECT_EQ(parameter_count(network, {distance}), static_cast<std::int64_t>(want.size()));
  }
}

TEST(Merge, ChiSquareIsForFeaturesThatAreNotNegative) {
  for (const char* last : {"relu", "sigmoid"}) {
    EXPECT_NO_THROW(check_loss(Network::parse(std::string("3-2") + last), {Distance::chi_square}));
  }
  for (const char* last : {"", "tanh"}) {
    const Network network = Network::parse(std::string("3-2") + last);
    EXPECT_THROW(check_loss(network, {Distance::chi_square}), UsageError);
    EXPECT_NO_THROW(check_loss(network, {Distance::weighted_l1}));
  }
}

TEST(Numbers, WholeTextOrNothing) {
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double("+2"), 2.0);
  EXPECT_EQ(parse_double("-1e-3"), -1e-3);
  for (const char* text : {"", "1,5", "1.5x", " 1", "1 ", "--1", "+-5", "++5", "+", "1e999"}) {
    EXPECT_FALSE(parse_double(text).has_value()) << text;
  }
}

TEST(AdamNames, AreDistinct) {
  EXPECT_EQ(name(AdamForm::keras), "keras");
  EXPECT_EQ(name(AdamForm::torch), "torch");
}

}  // namespace
}  // namespace siamese
