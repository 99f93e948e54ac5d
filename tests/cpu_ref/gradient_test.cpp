// The reference's gradients against central differences in double, for every distance, criterion
// and activation. Inputs keep away from kinks, where a difference quotient means nothing.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "cpu_ref/compare.h"
#include "cpu_ref/train.h"
#include "model/random.h"
#include "verify/trial.h"

namespace siamese::ref {
namespace {

constexpr double step = 1e-6;

// (f(x + h) - f(x - h)) / 2h by each element of x.
std::vector<double> central_differences(std::vector<double> x,
                                        const std::function<double(std::span<const double>)>& f) {
  std::vector<double> quotients;
  for (double& element : x) {
    const double at = element;
    element = at + step;
    const double above = f(x);
    element = at - step;
    const double below = f(x);
    element = at;
    quotients.push_back((above - below) / (2.0 * step));
  }
  return quotients;
}

// `loss` is the size of the values that the quotients were taken of: its rounding limits them.
void expect_near(std::span<const double> got, std::span<const double> want, double loss) {
  const std::vector<double> rounding(want.size(), 4.0 * 0x1p-53 * std::abs(loss) / step);
  const Comparison comparison = compare<double>("gradient", got, want, {1e-7, rounding});
  EXPECT_TRUE(comparison.ok) << comparison.describe();
}

struct LossCase {
  Loss loss;
  PairForm form;
};

class LossGradient : public testing::TestWithParam<LossCase> {};

TEST_P(LossGradient, MatchesDifferences) {
  verify::ProblemSpec spec = GetParam().form == PairForm::all ? verify::ProblemSpec::all_pairs(7)
                                                              : verify::ProblemSpec::indexed(7, 15);
  spec.network = Network({1, 5}, {Activation::linear});
  spec.loss = GetParam().loss;
  const RowMatrix<double> e = load<double>(verify::draw_uniform(35, 0.0, 1.0, 5).data(), 7, 5);
  const std::vector<double> merge = verify::cast<double>(verify::draw_merge(spec));
  const verify::PairTargets given = verify::draw_pair_targets(spec, e, merge);
  const LossValue<double> value = verify::reference_loss(spec, e, merge, given);
  EXPECT_GT(value.gradient.norm(), 0.0);
  const std::vector<double> differences =
      central_differences({e.data(), e.data() + e.size()}, [&](std::span<const double> moved) {
        return verify::reference_loss(spec, load<double>(moved.data(), 7, 5), merge, given).value;
      });
  expect_near(verify::elements(value.gradient), differences, value.value);

  EXPECT_EQ(value.merge_gradient.norm() > 0.0, !merge.empty());
  const std::vector<double> by_merge =
      central_differences(merge, [&](std::span<const double> moved) {
        return verify::reference_loss(spec, e, moved, given).value;
      });
  expect_near(verify::elements(RowMatrix<double>(value.merge_gradient)), by_merge, value.value);
}

std::vector<LossCase> loss_cases() {
  std::vector<LossCase> cases;
  for (const Distance distance : all_distances) {
    for (const Criterion criterion : all_criteria) {
      for (const PairForm form : {PairForm::indexed, PairForm::all}) {
        cases.push_back({{distance, criterion, criterion == Criterion::huber ? 0.05 : 0.9}, form});
      }
    }
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, LossGradient, testing::ValuesIn(loss_cases()), [](const auto& info) {
  return fmt::format("{}_{}_{}", name(info.param.loss.distance), name(info.param.loss.criterion),
                     name(info.param.form));
});

TEST(AsWrittenLoss, MatchesDifferences) {
  const RowMatrix<double> e = load<double>(verify::draw_uniform(30, 0.0, 1.0, 6).data(), 6, 5);
  const PairList pairs = all_pairs_list(6);
  std::vector<double> targets;
  for (std::int64_t p = 0; p < pairs.size(); ++p) targets.push_back(0.3 + 0.07 * double(p));
  const LossValue<double> value = as_written_loss<double>(e, pairs, targets);
  const std::vector<double> differences =
      central_differences({e.data(), e.data() + e.size()}, [&](std::span<const double> moved) {
        return as_written_loss<double>(load<double>(moved.data(), 6, 5), pairs, targets).value;
      });
  expect_near({value.gradient.data(), static_cast<std::size_t>(value.gradient.size())}, differences,
              value.value);
}

class NetworkGradient : public testing::TestWithParam<std::tuple<Activation, Loss>> {};

TEST_P(NetworkGradient, MatchesDifferences) {
  const auto [activation, loss] = GetParam();
  verify::ProblemSpec spec = verify::ProblemSpec::indexed(6, 11);
  spec.network = Network({4, 9, 7, 3}, {activation, activation, Activation::linear});
  spec.loss = loss;
  const std::vector<float> drawn = verify::draw_parameters(spec);
  const std::vector<double> parameters(drawn.begin(), drawn.end());
  const RowMatrix<double> x = load<double>(verify::draw_points(spec, drawn).data(), 6, 4);
  const verify::PairTargets given =
      verify::draw_pair_targets(spec, forward<double>(spec.network, parameters, x).back(),
                                merge_of<double>(spec.network, parameters));
  const BatchLoss<double> batch_loss = [&](const RowMatrix<double>& e,
                                           std::span<const double> merge) {
    return verify::reference_loss(spec, e, merge, given);
  };
  const BatchGradients<double> batch =
      batch_gradients<double>(spec.network, parameters, x, batch_loss);
  const std::vector<double> differences =
      central_differences(parameters, [&](std::span<const double> moved) {
        return batch_loss(forward<double>(spec.network, moved, x).back(),
                          merge_of<double>(spec.network, moved))
            .value;
      });
  expect_near(batch.gradients, differences, batch.loss);
}

INSTANTIATE_TEST_SUITE_P(
    All, NetworkGradient,
    testing::Combine(testing::Values(Activation::linear, Activation::relu, Activation::sigmoid,
                                     Activation::tanh),
                     testing::Values(Loss{Distance::sqeuclidean, Criterion::squared, 1.0},
                                     Loss{Distance::euclidean, Criterion::absolute, 1.0},
                                     Loss{Distance::cosine, Criterion::huber, 0.01},
                                     Loss{Distance::weighted_l1, Criterion::logistic})),
    [](const auto& info) {
      return fmt::format("{}_{}", name(std::get<0>(info.param)),
                         name(std::get<1>(info.param).distance));
    });

}  // namespace
}  // namespace siamese::ref
