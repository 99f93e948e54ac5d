#include "model/loss.h"

#include <gtest/gtest.h>

#include "model/adam.h"
#include "model/error.h"
#include "model/numbers.h"

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

TEST(LossNames, CriteriaOfLabelsSayWhatTheyMean) {
  EXPECT_EQ(name(Criterion::contrastive), "contrastive_1_is_dissimilar");
  EXPECT_EQ(name(Criterion::logistic), "logistic_1_is_similar");
}

class FaultyLoss : public testing::TestWithParam<const char*> {};

TEST_P(FaultyLoss, IsRefused) { EXPECT_THROW(parse_loss(GetParam()), UsageError); }

INSTANTIATE_TEST_SUITE_P(Texts, FaultyLoss,
                         testing::Values("", "l2", "euclidean/", "euclidean/l1", "euclidean:1",
                                         "euclidean/huber:", "euclidean/huber:x",
                                         "euclidean/huber:-1", "euclidean/huber:0",
                                         "euclidean/huber:nan", "euclidean/huber:inf",
                                         "euclidean/absolute:1", "Euclidean",
                                         "euclidean/logistic_1_is_similar:1",
                                         "euclidean/huber:1,5"));

TEST(Numbers, WholeTextOrNothing) {
  EXPECT_EQ(parse_double("1.5"), 1.5);
  EXPECT_EQ(parse_double("+2"), 2.0);
  EXPECT_EQ(parse_double("-1e-3"), -1e-3);
  for (const char* text : {"", "1,5", "1.5x", " 1", "1 ", "--1", "1e999"}) {
    EXPECT_FALSE(parse_double(text).has_value()) << text;
  }
}

TEST(AdamNames, AreDistinct) {
  EXPECT_EQ(name(AdamForm::keras), "keras");
  EXPECT_EQ(name(AdamForm::torch), "torch");
}

}  // namespace
}  // namespace siamese
