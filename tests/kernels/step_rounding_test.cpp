// What rounding may do to a step is found once a precision, and belongs to that step alone.

#include <gtest/gtest.h>

#include "verify/train.h"

namespace siamese::verify {
namespace {

TEST(TrainStepProblem, RoundingIsThatOfTheStepItWentOnTo) {
  ProblemSpec spec = ProblemSpec::dense(9);
  spec.network = Network::parse("3-17tanh-5sigmoid");
  TrainStepProblem problem(spec);
  const StepRounding first = problem.rounding(Precision::bf16);

  problem.go_on(problem.want_parameters, problem.want_state);
  const TrainStepProblem second(spec, problem.parameters, problem.x, problem.given, problem.state);
  EXPECT_NE(problem.rounding(Precision::bf16).gradients, first.gradients);
  EXPECT_EQ(problem.rounding(Precision::bf16).gradients,
            second.rounding(Precision::bf16).gradients);
  EXPECT_EQ(problem.rounding(Precision::bf16).loss, second.rounding(Precision::bf16).loss);
}

}  // namespace
}  // namespace siamese::verify
