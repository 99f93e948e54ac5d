// The reference's activations, forward pass, Adam and training in closed form.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu_ref/train.h"

namespace siamese::ref {
namespace {

TEST(Activations, SigmoidIsStableForLargeInputs) {
  EXPECT_EQ(activate<double>(Activation::sigmoid, 0.0), 0.5);
  EXPECT_EQ(activate<double>(Activation::sigmoid, 800.0), 1.0);
  EXPECT_EQ(activate<double>(Activation::sigmoid, -800.0), 0.0);
  EXPECT_DOUBLE_EQ(activate<double>(Activation::sigmoid, -700.0), std::exp(-700.0));
  EXPECT_EQ(activate<float>(Activation::sigmoid, -100.0F), std::exp(-100.0F));
}

TEST(Activations, ReluHasDerivativeZeroAtZero) {
  EXPECT_EQ(activate<double>(Activation::relu, -1.0), 0.0);
  EXPECT_EQ(activation_derivative<double>(Activation::relu, 0.0), 0.0);
  EXPECT_EQ(activation_derivative<double>(Activation::relu, 1e-300), 1.0);
}

TEST(Activations, NanPassesThrough) {
  for (const Activation activation :
       {Activation::linear, Activation::relu, Activation::sigmoid, Activation::tanh}) {
    EXPECT_TRUE(std::isnan(activate(activation, std::numeric_limits<double>::quiet_NaN())))
        << name(activation);
  }
}

// 2 -> 2 relu -> 1, two points; the first one has both units below 0.
TEST(Forward, SmallNetworkByHand) {
  const Network network = Network::parse("2-2relu-1");
  // W1 = [[1, 2], [-3, 1]], b1 = (1, -5), W2 = [[10], [100]], b2 = 7.
  const std::vector<double> parameters{1, 2, -3, 1, 1, -5, 10, 100, 7};
  RowMatrix<double> x(2, 2);
  x << 1, 1, 4, -1;
  const std::vector<RowMatrix<double>> h = forward<double>(network, parameters, x);
  EXPECT_EQ(h[0], (RowMatrix<double>(2, 2) << 0, 0, 8, 2).finished());
  EXPECT_EQ(h[1], (RowMatrix<double>(2, 1) << 7, 287).finished());
}

TEST(Backward, SmallNetworkByHand) {
  const Network network = Network::parse("2-2relu-1");
  const std::vector<double> parameters{1, 2, -3, 1, 1, -5, 10, 100, 7};
  RowMatrix<double> x(2, 2);
  x << 1, 1, 4, -1;
  const std::vector<RowMatrix<double>> h = forward<double>(network, parameters, x);
  const RowMatrix<double> g = (RowMatrix<double>(2, 1) << 3, 2).finished();
  const std::vector<double> want{80, 800, -20, -200, 20, 200, 16, 4, 5};
  EXPECT_EQ(backward<double>(network, parameters, x, h, g), want);
}

// From zero moments both forms move every parameter by the learning rate against its gradient's
// sign in the first step, but for epsilon.
TEST(AdamReference, FirstStepIsTheLearningRate) {
  for (const Adam& adam : {Adam::keras(), Adam::torch()}) {
    std::vector<double> parameters{1.0, -2.0};
    AdamState<double> state(2);
    adam_update<double>(adam, std::vector<double>{0.5, -3.0}, parameters, state);
    EXPECT_NEAR(parameters[0], 1.0 - 1e-3, 1e-8) << name(adam.form);
    EXPECT_NEAR(parameters[1], -2.0 + 1e-3, 1e-8) << name(adam.form);
    EXPECT_EQ(state.step, 1);
  }
}

TEST(AdamReference, FormsDifferInEpsilonAlone) {
  Adam keras = Adam::keras();
  Adam torch = Adam::torch();
  keras.epsilon = torch.epsilon = 0.0;
  std::vector<double> a{1.0};
  std::vector<double> b{1.0};
  AdamState<double> state_a(1);
  AdamState<double> state_b(1);
  for (const double g : {0.3, -0.1, 0.7}) {
    adam_update<double>(keras, std::vector<double>{g}, a, state_a);
    adam_update<double>(torch, std::vector<double>{g}, b, state_b);
  }
  EXPECT_NEAR(a[0], b[0], 1e-15);
}

TEST(AdamReference, ModelFormulaIsTheSameUpdate) {
  for (const Adam& adam : {Adam::keras(), Adam::torch()}) {
    std::vector<double> parameters{1.0};
    AdamState<double> state(1);
    state.m[0] = 0.2;
    state.v[0] = 1e-10;  // where epsilon matters
    state.step = 4;
    adam_update<double>(adam, std::vector<double>{0.0}, parameters, state);
    const AdamStep step = adam_step(adam, 5);
    const double want =
        1.0 - step.rate * state.m[0] / (std::sqrt(state.v[0]) * step.v_scale + adam.epsilon);
    EXPECT_NEAR(parameters[0], want, 1e-12) << name(adam.form);
  }
}

TEST(Training, FitVisitsEveryPairOnceAnEpoch) {
  const Network network = Network::parse("1-1");
  Training<double> training(network, {0.0, 0.0}, Adam::keras());
  training.adam.learning_rate = 0.0;
  const RowMatrix<double> x = RowMatrix<double>::Zero(4, 1);
  const PairList pairs = all_pairs_list(4);
  const std::vector<double> targets{1, 2, 4, 8, 16, 32};
  std::vector<double> seen;
  std::vector<std::size_t> batches;
  const std::vector<double> curve = fit<double>(
      training, x, pairs, targets,
      [&](const RowMatrix<double>& e, std::span<const double>, const PairList& batch,
          std::span<const double> t) {
        seen.insert(seen.end(), t.begin(), t.end());
        batches.push_back(t.size());
        return pair_loss<double>({}, e, batch, t);
      },
      2, 4, 99);
  EXPECT_EQ(batches, (std::vector<std::size_t>{4, 2, 4, 2}));
  for (const std::size_t epoch : {0, 1}) {
    double sum = 0.0;
    for (std::size_t k = 0; k < 6; ++k) sum += seen[epoch * 6 + k];
    EXPECT_EQ(sum, 63.0);
    EXPECT_DOUBLE_EQ(curve[epoch], 63.0 / 6.0);  // every distance is 0, so the loss is the target
  }
  EXPECT_NE(std::vector<double>(seen.begin(), seen.begin() + 6),
            std::vector<double>(seen.begin() + 6, seen.end()));
  EXPECT_EQ(training.state.step, 4);
}

TEST(Training, FitTakesBatchesOfAPairOrMore) {
  const Network network = Network::parse("1-1");
  Training<double> training(network, {0.0, 0.0}, Adam::keras());
  const RowMatrix<double> x = RowMatrix<double>::Zero(2, 1);
  const std::vector<double> targets{1};
  EXPECT_THROW(fit<double>(training, x, all_pairs_list(2), targets, {}, 1, 0, 99), UsageError);
}

TEST(Training, LossFalls) {
  const Network network = Network::parse("3-16tanh-2sigmoid");
  const std::vector<float> begin = glorot_uniform(network, 1);
  Training<double> training(network, {begin.begin(), begin.end()}, Adam::keras());
  training.adam.learning_rate = 0.01;
  const RowMatrix<double> x = RowMatrix<double>::Random(20, 3);
  const RowMatrix<double> c = x.leftCols(2) * 0.25;
  const BatchLoss<double> loss = [&](const RowMatrix<double>& e, std::span<const double>) {
    return all_pairs_loss<double>({Distance::euclidean, Criterion::squared}, e, c);
  };
  const double first = train_step(training, x, loss);
  double last = first;
  for (int step = 0; step < 200; ++step) last = train_step(training, x, loss);
  EXPECT_LT(last, 0.2 * first);
}

}  // namespace
}  // namespace siamese::ref
