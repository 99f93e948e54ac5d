// The work of each op against numbers counted by hand.

#include "bench/work.h"

#include <gtest/gtest.h>

#include "verify/trial.h"

namespace siamese::bench {
namespace {

using verify::ProblemSpec;

ProblemSpec small(ProblemSpec spec) {
  spec.network = Network::parse("3-5relu-2");  // 3*5 + 5*2 = 25 multiply-adds, 32 parameters
  return spec;
}

template <class Args>
Work work_of(const ProblemSpec& spec) {
  return work(verify::shape_args<Args>(spec));
}

TEST(Work, ForwardCountsTheDenseProductsAndEachArrayOnce) {
  const Work w = work_of<PairForwardArgs<float>>(small(ProblemSpec::dense(4)));
  EXPECT_EQ(w.operations, 8 * 2 * 25);
  EXPECT_EQ(w.bytes, 4 * (8 * (3 + 5 + 2) + 32));
}

TEST(Work, BackwardNeedsNoGradientOfTheInput) {
  // dW1 15, dW2 10, dh1 10 multiply-adds a point.
  const Work w = work_of<PairBackwardArgs<float>>(small(ProblemSpec::dense(4)));
  EXPECT_EQ(w.operations, 8 * 2 * 35);
  // X, h1, E, G; then b1, W2, b2; then all gradients.
  EXPECT_EQ(w.bytes, 4 * (8 * (3 + 5 + 2 + 2) + (5 + 10 + 2) + 32));
}

TEST(Work, SeedNetworkForward) {
  // 11*200 + 200*200 + 200*10 = 44,200 multiply-adds a point.
  EXPECT_EQ(work_of<PairForwardArgs<float>>(ProblemSpec::dense(128)).operations, 256 * 88400.0);
}

TEST(Work, DistanceLossOfEachDistance) {
  const auto operations = [](Distance distance) {
    ProblemSpec spec = small(ProblemSpec::indexed(7, 10));
    spec.loss = {distance, Criterion::absolute, 1.0};
    return work_of<DistanceLossArgs<float>>(spec).operations;
  };
  EXPECT_EQ(operations(Distance::sqeuclidean), 10 * (12 + 2));
  EXPECT_EQ(operations(Distance::euclidean), 10 * (14 + 2));
  EXPECT_EQ(operations(Distance::manhattan), 10 * (8 + 2));
  EXPECT_EQ(operations(Distance::cosine), 10 * (23 + 2) + 7 * 4);
  EXPECT_EQ(operations(Distance::chi_square), 10 * (32 + 2));
  EXPECT_EQ(operations(Distance::weighted_l1), 10 * (18 + 2));
}

TEST(Work, LogisticTakesTwoFunctions) {
  ProblemSpec spec = small(ProblemSpec::indexed(7, 10));
  spec.loss = {Distance::sqeuclidean, Criterion::logistic};
  EXPECT_EQ(work_of<DistanceLossArgs<float>>(spec).operations, 10 * (12 + 12));
}

TEST(Work, DistanceLossBytesKnowTheForm) {
  // E and G [n, 2], a target a pair; indices where the form has them.
  EXPECT_EQ(work_of<DistanceLossArgs<float>>(small(ProblemSpec::dense(10))).bytes,
            4 * (2 * 20 * 2 + 10));
  EXPECT_EQ(work_of<DistanceLossArgs<float>>(small(ProblemSpec::indexed(7, 10))).bytes,
            4 * (2 * 7 * 2 + 10) + 8 * 10);
  EXPECT_EQ(work_of<DistanceLossArgs<double>>(small(ProblemSpec::indexed(7, 10))).bytes,
            8 * (2 * 7 * 2 + 10) + 8 * 10);
}

TEST(Work, AllPairsCountEachPairOnceAndMakeTheirTargets) {
  // 6 pairs: 14 for the distance, 2 for the criterion, 3*2 + 1 for the target.
  const Work w = work_of<AllPairsLossArgs<float>>(small(ProblemSpec::all_pairs(4)));
  EXPECT_EQ(w.operations, 6 * (14 + 2 + 7));
  EXPECT_EQ(w.bytes, 4 * 4 * (2 + 2 + 2));
}

TEST(Work, AllPairsOfHundredThousandPointsDoNotOverflow) {
  const Work w = work_of<AllPairsLossArgs<float>>(small(ProblemSpec::all_pairs(100000)));
  EXPECT_EQ(w.operations, 4999950000.0 * 23);
}

TEST(Work, AdamReadsFourArraysAndWritesThree) {
  ProblemSpec spec = small(ProblemSpec::dense(0));
  EXPECT_EQ(work_of<AdamArgs<float>>(spec).operations, 32 * 12);
  EXPECT_EQ(work_of<AdamArgs<float>>(spec).bytes, 32 * 7 * 4);
  spec.adam = Adam::torch();
  EXPECT_EQ(work_of<AdamArgs<float>>(spec).operations, 32 * 13);
}

TEST(Work, TrainStepIsItsPartsWithoutWhatTheyHandOn) {
  const ProblemSpec spec = small(ProblemSpec::indexed(7, 10));
  const Work w = work_of<TrainStepArgs<float>>(spec);
  EXPECT_EQ(w.operations, 7 * 2 * (25 + 35) + 10 * 16 + 32 * 12);
  EXPECT_EQ(w.bytes, 4 * (7 * 3 + 6 * 32 + 10) + 8 * 10);
  const Work all = work_of<TrainStepArgs<float>>(small(ProblemSpec::all_pairs(4)));
  EXPECT_EQ(all.operations, 4 * 2 * (25 + 35) + 6 * 23 + 32 * 12);
}

// Width 2: w, c and their gradients are 3 numbers each.
TEST(Work, ParametersOfTheMergeCount) {
  ProblemSpec spec = small(ProblemSpec::indexed(7, 10));
  spec.loss = {Distance::weighted_l1, Criterion::absolute};
  EXPECT_EQ(work_of<DistanceLossArgs<float>>(spec).bytes, 4 * (2 * (7 * 2 + 3) + 10) + 8 * 10);
  const Work step = work_of<TrainStepArgs<float>>(spec);
  EXPECT_EQ(step.operations, 7 * 2 * (25 + 35) + 10 * 20 + 35 * 12);
  EXPECT_EQ(step.bytes, 4 * (7 * 3 + 6 * 35 + 10) + 8 * 10);
  ProblemSpec all = small(ProblemSpec::all_pairs(4));
  all.loss = spec.loss;
  EXPECT_EQ(work_of<AllPairsLossArgs<float>>(all).bytes, 4 * (4 * (2 + 2 + 2) + 2 * 3));
}

TEST(Work, FitIsItsSteps) {
  const ProblemSpec spec = small(ProblemSpec::indexed(30, 10));
  auto args = verify::shape_args<FitArgs<float>>(spec);
  args.epochs = 2;
  args.batch = 4;  // steps of 4, 4 and 2 pairs, of 8, 8 and 4 points
  const double epoch = 2 * (8 * 120 + 4 * 16 + 384) + (4 * 120 + 2 * 16 + 384);
  EXPECT_EQ(work(args).operations, 2 * epoch);
  args.batch = 100;  // one step that sees every point
  EXPECT_EQ(work(args).operations, 2 * (30 * 120 + 10 * 16 + 384));
  args.trainings = 3;  // the data once, parameters and moments in and out of each
  EXPECT_EQ(work(args).operations, 3 * 2 * (30 * 120 + 10 * 16 + 384));
  EXPECT_EQ(work(args).bytes, 4 * (30 * 3 + 10) + 8 * 10 + 3 * 4 * 6 * 32);
}

}  // namespace
}  // namespace siamese::bench
