// The checks of verify/ on planted bugs: a right kernel, given wrong arguments or followed by a
// wrong write, does what a wrong kernel would do, and must be found out.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "kernels/variant.h"
#include "model/parameters.h"
#include "verify/adam.h"
#include "verify/backward.h"
#include "verify/forward.h"
#include "verify/loss.h"
#include "verify/train.h"

namespace siamese {
namespace {

using verify::ProblemSpec;
using verify::Trial;

// Runs the first CPU variant of an op with `before` done to its arguments and `after` done to what
// it left (CPU memory, so args point to it), and tells whether every comparison passed, by the
// tolerances of a precision.
template <class Args>
bool passes(const ProblemSpec& spec, const std::function<void(Args&)>& before = {},
            const std::function<void(const Args&)>& after = {},
            Precision precision = Precision::float32) {
  const typename Trial<Args>::Problem problem(spec);
  Trial<Args> trial(problem, Device::cpu);
  trial.reset();
  Args args = trial.args();
  if (before) before(args);
  variants<Args>().front().prepare(args)(Stream{});
  if (after) after(trial.args());
  const std::vector<ref::Comparison> comparisons = trial.compare(precision);
  return std::ranges::all_of(comparisons, [](const auto& c) { return c.ok; });
}

using Forward = PairForwardArgs<float>;
const ProblemSpec points = ProblemSpec::indexed(130, 0);

TEST(PlantedForward, RightOnePasses) { EXPECT_TRUE(passes<Forward>(points)); }

TEST(PlantedForward, DroppedTailRow) {
  EXPECT_FALSE(passes<Forward>(points, [](Forward& args) { --args.points; }));
}

TEST(PlantedForward, ForgottenBias) {
  std::vector<float> without;
  EXPECT_FALSE(passes<Forward>(points, [&](Forward& args) {
    without.assign(args.parameters, args.parameters + args.network->parameter_count());
    const Layer& layer = args.network->layers()[1];
    std::fill_n(view(layer, without.data()).bias, layer.outputs, 0.0F);
    args.parameters = without.data();
  }));
}

TEST(PlantedForward, WrongActivation) {
  const Network other = Network::parse("11-200relu-200relu-10tanh");
  EXPECT_FALSE(passes<Forward>(points, [&](Forward& args) { args.network = &other; }));
}

TEST(PlantedForward, OneHiddenElement) {
  EXPECT_FALSE(passes<Forward>(points, {}, [](const Forward& args) { args.hidden[777] += 1e-4F; }));
}

TEST(PlantedForward, SwappedElements) {
  EXPECT_FALSE(passes<Forward>(
      points, {}, [](const Forward& args) { std::swap(args.embeddings[3], args.embeddings[4]); }));
}

using Distances = DistanceLossArgs<float>;
const ProblemSpec pairs = ProblemSpec::indexed(41, 435);

TEST(PlantedDistanceLoss, RightOnePasses) { EXPECT_TRUE(passes<Distances>(pairs)); }

TEST(PlantedDistanceLoss, DroppedPair) {
  EXPECT_FALSE(passes<Distances>(pairs, [](Distances& args) { --args.pairs.count; }));
}

TEST(PlantedDistanceLoss, SwappedSign) {
  EXPECT_FALSE(passes<Distances>(pairs, {}, [](const Distances& args) {
    for (int k = 0; k < 410; ++k) args.gradient[k] = -args.gradient[k];
  }));
}

TEST(PlantedDistanceLoss, TargetsOfOtherPairs) {
  EXPECT_FALSE(passes<Distances>(pairs, [](Distances& args) {
    ++args.pairs.targets;
    --args.pairs.count;
  }));
}

TEST(PlantedDistanceLoss, SumInPlaceOfMean) {
  EXPECT_FALSE(
      passes<Distances>(pairs, {}, [](const Distances& args) { *args.loss_value *= 435.0; }));
}

ProblemSpec of_loss(ProblemSpec spec, const Loss& loss) {
  spec.loss = loss;
  return spec;
}
const ProblemSpec weighted =
    of_loss(ProblemSpec::indexed(41, 435), {Distance::weighted_l1, Criterion::logistic});

TEST(PlantedMerge, RightOnePasses) { EXPECT_TRUE(passes<Distances>(weighted)); }

TEST(PlantedMerge, ForgottenWeights) {
  const std::vector<float> ones(11, 1.0F);
  EXPECT_FALSE(passes<Distances>(weighted, [&](Distances& args) { args.merge = ones.data(); }));
}

TEST(PlantedMerge, OneWeightsGradient) {
  EXPECT_FALSE(passes<Distances>(weighted, {},
                                 [](const Distances& args) { args.merge_gradient[9] *= 1.001F; }));
}

TEST(PlantedMerge, ForgottenGradientOfTheOffset) {
  EXPECT_FALSE(passes<Distances>(weighted, {},
                                 [](const Distances& args) { args.merge_gradient[10] = 0.0F; }));
}

TEST(PlantedMerge, UnwrittenGradient) {
  EXPECT_FALSE(passes<Distances>(weighted, {}, [](const Distances& args) {
    args.merge_gradient[0] = std::numeric_limits<float>::quiet_NaN();
  }));
}

TEST(PlantedMerge, ChiSquareWithItsDerivativesSwapped) {
  const ProblemSpec spec =
      of_loss(ProblemSpec::dense(33), {Distance::chi_square, Criterion::squared});
  EXPECT_TRUE(passes<Distances>(spec));
  EXPECT_FALSE(passes<Distances>(spec, {}, [](const Distances& args) {
    std::swap_ranges(args.gradient, args.gradient + 330, args.gradient + 330);
  }));
}

TEST(PlantedLogistic, SignOfTheLogit) {
  std::vector<float> opposite;
  EXPECT_FALSE(passes<Distances>(weighted, [&](Distances& args) {
    opposite.assign(args.pairs.targets, args.pairs.targets + args.pairs.count);
    for (float& target : opposite) target = 1.0F - target;
    args.pairs.targets = opposite.data();
  }));
}

using AllPairs = AllPairsLossArgs<float>;
const ProblemSpec all = ProblemSpec::all_pairs(65);

TEST(PlantedAllPairsLoss, RightOnePasses) { EXPECT_TRUE(passes<AllPairs>(all)); }

TEST(PlantedAllPairsLoss, LastPointLeftOut) {
  EXPECT_FALSE(passes<AllPairs>(all, [](AllPairs& args) { --args.points; }));
}

TEST(PlantedAllPairsLoss, UnwrittenRow) {
  EXPECT_FALSE(passes<AllPairs>(all, {}, [](const AllPairs& args) {
    std::fill_n(args.gradient + 640, 10, std::numeric_limits<float>::quiet_NaN());
  }));
}

TEST(PlantedAllPairsLoss, EachPairCountedTwice) {
  EXPECT_FALSE(passes<AllPairs>(all, {}, [](const AllPairs& args) {
    for (int k = 0; k < 650; ++k) args.gradient[k] *= 2.0F;
  }));
}

TEST(PlantedAllPairsLoss, CoordinatesAsWideAsEmbeddings) {
  ProblemSpec spec = ProblemSpec::all_pairs(65);
  spec.coordinate_width = 13;
  EXPECT_TRUE(passes<AllPairs>(spec));
  EXPECT_FALSE(passes<AllPairs>(spec, [](AllPairs& args) { args.coordinate_width = args.width; }));
}

using Backward = PairBackwardArgs<float>;

TEST(PlantedBackward, RightOnePasses) { EXPECT_TRUE(passes<Backward>(points)); }

TEST(PlantedBackward, DroppedTailRow) {
  EXPECT_FALSE(passes<Backward>(points, [](Backward& args) { --args.points; }));
}

TEST(PlantedBackward, DroppedTailRowOfManyPoints) {
  EXPECT_FALSE(
      passes<Backward>(ProblemSpec::indexed(20000, 0), [](Backward& args) { --args.points; }));
}

TEST(PlantedBackward, ForgottenBiasGradient) {
  EXPECT_FALSE(passes<Backward>(points, {}, [](const Backward& args) {
    const Layer& layer = args.network->layers()[0];
    std::fill_n(view(layer, args.gradients).bias, layer.outputs, 0.0F);
  }));
}

TEST(PlantedBackward, ForgottenActivationDerivative) {
  const Network other = Network::parse("11-200relu-200linear-10sigmoid");
  EXPECT_FALSE(passes<Backward>(points, [&](Backward& args) { args.network = &other; }));
}

using Update = AdamArgs<float>;
const ProblemSpec update = ProblemSpec::dense(0);

TEST(PlantedAdam, RightOnePasses) { EXPECT_TRUE(passes<Update>(update)); }

TEST(PlantedAdam, StepNotCounted) {
  EXPECT_FALSE(passes<Update>(update, {}, [](const Update& args) { --*args.step; }));
}

TEST(PlantedAdam, BiasCorrectionOfAnotherStep) {
  EXPECT_FALSE(passes<Update>(
      update, [](Update& args) { ++*args.step; }, [](const Update& args) { --*args.step; }));
}

TEST(PlantedAdam, LastElementLeftOut) {
  EXPECT_FALSE(passes<Update>(update, [](Update& args) { --args.count; }));
}

TEST(PlantedAdam, OtherBeta) {
  EXPECT_FALSE(passes<Update>(update, [](Update& args) { args.adam.beta2 = 0.99; }));
}

// Epsilon matters where v is small alone, and the two forms differ in nothing else.
TEST(PlantedAdam, WrongEpsilon) {
  for (const Adam& adam : {Adam::keras(), Adam::torch()}) {
    ProblemSpec spec = update;
    spec.adam = adam;
    EXPECT_TRUE(passes<Update>(spec));
    for (const double epsilon : {0.0, 0.1 * adam.epsilon, 1.1 * adam.epsilon, 1e-6}) {
      EXPECT_FALSE(passes<Update>(spec, [&](Update& args) { args.adam.epsilon = epsilon; }))
          << name(adam.form) << ' ' << epsilon;
    }
  }
}

TEST(PlantedAdam, OtherForm) {
  EXPECT_FALSE(passes<Update>(update, [](Update& args) { args.adam.form = AdamForm::torch; }));
}

using Step = TrainStepArgs<float>;

TEST(PlantedTrainStep, RightOnePasses) { EXPECT_TRUE(passes<Step>(pairs)); }

TEST(PlantedTrainStep, DroppedPair) {
  EXPECT_FALSE(passes<Step>(pairs, [](Step& args) { --args.pairs.count; }));
}

TEST(PlantedTrainStep, DroppedPairOfMany) {
  EXPECT_FALSE(
      passes<Step>(ProblemSpec::indexed(200, 5000), [](Step& args) { --args.pairs.count; }));
}

TEST(PlantedTrainStep, OtherLearningRate) {
  EXPECT_FALSE(passes<Step>(pairs, [](Step& args) { args.adam.learning_rate *= 1.01; }));
}

TEST(PlantedTrainStep, OtherDistance) {
  EXPECT_FALSE(passes<Step>(pairs, [](Step& args) { args.loss.distance = Distance::sqeuclidean; }));
}

TEST(PlantedTrainStep, MergeLeftAsItWas) {
  const ProblemSpec spec = weighted;
  EXPECT_TRUE(passes<Step>(spec));
  EXPECT_FALSE(passes<Step>(spec, {}, [](const Step& args) {
    std::fill_n(args.m + args.network->parameter_count(), 11, 0.0F);
  }));
}

using Training = FitArgs<float>;

TEST(PlantedFit, MergeLeftAsItWas) {
  for (const Distance distance : {Distance::chi_square, Distance::weighted_l1}) {
    ProblemSpec spec = of_loss(ProblemSpec::indexed(40, 100), {distance, Criterion::squared});
    spec.network = Network::parse("5-33relu-17tanh-6sigmoid");
    EXPECT_TRUE(passes<Training>(spec));
    std::vector<float> begin;
    const auto merge_of = [&](const Training& args) {
      return args.training.parameters + args.training.network->parameter_count();
    };
    EXPECT_FALSE(passes<Training>(
        spec, [&](Training& args) { begin.assign(merge_of(args), merge_of(args) + 6); },
        [&](const Training& args) { std::ranges::copy(begin, merge_of(args)); }));
  }
}

TEST(PlantedFit, PairMissingFromAWholeBatch) {
  ProblemSpec spec = ProblemSpec::indexed(40, 100);
  spec.batch = spec.pairs;
  EXPECT_TRUE(passes<Training>(spec));
  EXPECT_FALSE(passes<Training>(spec, [](Training& args) { --args.training.pairs.count; }));
}

// What a training keeps, put back to where it began: nothing but the way that it has gone tells.
class PlantedFitLeft : public testing::TestWithParam<ProblemSpec> {
 protected:
  // Whether the last `count` of an array of the training's may be left as they were.
  static bool passes_left(float* TrainStepArgs<float>::*array, std::int64_t count) {
    std::vector<float> begin;
    const auto last = [&](const Training& args) {
      const std::int64_t all = parameter_count(*args.training.network, args.training.loss);
      return std::span(args.training.*array + all - count, static_cast<std::size_t>(count));
    };
    return passes<Training>(
        GetParam(), [&](Training& args) { begin.assign(last(args).begin(), last(args).end()); },
        [&](const Training& args) { std::ranges::copy(begin, last(args).begin()); });
  }
  static std::int64_t count() { return GetParam().network.parameter_count(); }
  static std::int64_t last_bias() { return GetParam().network.embedding_width(); }
};

TEST_P(PlantedFitLeft, RightOnePasses) { EXPECT_TRUE(passes<Training>(GetParam())); }

TEST_P(PlantedFitLeft, LastBias) {
  EXPECT_FALSE(passes_left(&TrainStepArgs<float>::parameters, last_bias()));
}

TEST_P(PlantedFitLeft, LastBiasElement) {
  EXPECT_FALSE(passes_left(&TrainStepArgs<float>::parameters, 1));
}

TEST_P(PlantedFitLeft, FirstMoments) {
  EXPECT_FALSE(passes_left(&TrainStepArgs<float>::m, count()));
  EXPECT_FALSE(passes_left(&TrainStepArgs<float>::m, last_bias()));
}

TEST_P(PlantedFitLeft, SecondMoments) {
  EXPECT_FALSE(passes_left(&TrainStepArgs<float>::v, count()));
  EXPECT_FALSE(passes_left(&TrainStepArgs<float>::v, last_bias()));
}

INSTANTIATE_TEST_SUITE_P(Problems, PlantedFitLeft,
                         testing::Values(ProblemSpec::indexed(30, 435), ProblemSpec::all_pairs(37)),
                         [](const auto& tested) { return std::string(name(tested.param.form)); });

// The tolerances of tensor cores' precisions are wider; the same bugs must stay outside.
class PlantedLowPrecision : public testing::TestWithParam<Precision> {
 protected:
  template <class Args>
  static bool passes(const ProblemSpec& spec, const std::function<void(Args&)>& before = {},
                     const std::function<void(const Args&)>& after = {}) {
    return siamese::passes<Args>(spec, before, after, GetParam());
  }
  static void negate(float* values, std::int64_t count) {
    for (std::int64_t k = 0; k < count; ++k) values[k] = -values[k];
  }
};

TEST_P(PlantedLowPrecision, RightOnesPass) {
  EXPECT_TRUE(passes<Forward>(points));
  EXPECT_TRUE(passes<Backward>(points));
  EXPECT_TRUE(passes<Step>(pairs));
  EXPECT_TRUE(passes<Step>(weighted));
}

TEST_P(PlantedLowPrecision, StepForgottenGradientOfTheMerge) {
  EXPECT_FALSE(passes<Step>(weighted, {}, [](const Step& args) {
    std::fill_n(args.m + args.network->parameter_count(), 11, 0.0F);
  }));
}

TEST_P(PlantedLowPrecision, ForwardDroppedTailRow) {
  EXPECT_FALSE(passes<Forward>(points, [](Forward& args) { --args.points; }));
}

TEST_P(PlantedLowPrecision, ForwardForgottenBias) {
  std::vector<float> without;
  EXPECT_FALSE(passes<Forward>(points, [&](Forward& args) {
    without.assign(args.parameters, args.parameters + args.network->parameter_count());
    const Layer& layer = args.network->layers()[2];
    std::fill_n(view(layer, without.data()).bias, layer.outputs, 0.0F);
    args.parameters = without.data();
  }));
}

TEST_P(PlantedLowPrecision, ForwardSwappedElements) {
  EXPECT_FALSE(passes<Forward>(
      points, {}, [](const Forward& args) { std::swap(args.embeddings[3], args.embeddings[4]); }));
}

TEST_P(PlantedLowPrecision, BackwardAllZeros) {
  for (const std::int64_t count : {2, 130, 5000}) {
    EXPECT_FALSE(passes<Backward>(ProblemSpec::indexed(count, 0), {}, [](const Backward& args) {
      std::fill_n(args.gradients, args.network->parameter_count(), 0.0F);
    }));
  }
}

TEST_P(PlantedLowPrecision, BackwardDroppedTailRow) {
  for (const std::int64_t count : {130, 5000}) {
    EXPECT_FALSE(
        passes<Backward>(ProblemSpec::indexed(count, 0), [](Backward& args) { --args.points; }));
  }
}

TEST_P(PlantedLowPrecision, BackwardSwappedSignOfABias) {
  EXPECT_FALSE(passes<Backward>(points, {}, [](const Backward& args) {
    const Layer& layer = args.network->layers()[1];
    negate(view(layer, args.gradients).bias, layer.outputs);
  }));
}

TEST_P(PlantedLowPrecision, StepGradientAllZeros) {
  for (const ProblemSpec& spec : {pairs, ProblemSpec::dense(500), ProblemSpec::all_pairs(65)}) {
    EXPECT_FALSE(passes<Step>(spec, {}, [](const Step& args) {
      std::fill_n(args.m, args.network->parameter_count(), 0.0F);
    }));
  }
}

TEST_P(PlantedLowPrecision, StepSwappedSign) {
  EXPECT_FALSE(passes<Step>(pairs, {}, [](const Step& args) {
    const Layer& layer = args.network->layers()[0];
    negate(view(layer, args.m).weights, layer.inputs * layer.outputs);
  }));
}

TEST_P(PlantedLowPrecision, StepDroppedPair) {
  EXPECT_FALSE(passes<Step>(pairs, [](Step& args) { --args.pairs.count; }));
}

TEST_P(PlantedLowPrecision, StepOtherDistance) {
  EXPECT_FALSE(passes<Step>(pairs, [](Step& args) { args.loss.distance = Distance::sqeuclidean; }));
}

INSTANTIATE_TEST_SUITE_P(Precisions, PlantedLowPrecision,
                         testing::Values(Precision::tf32x3, Precision::tf32, Precision::bf16),
                         [](const auto& tested) { return std::string(name(tested.param)); });

}  // namespace
}  // namespace siamese
