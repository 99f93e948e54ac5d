// Adam over so many steps that its moments have forgotten where they began: what is wrong by a
// little in every step, which one step's tolerance does not show, has then added up.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <span>
#include <string>
#include <vector>

#include "cpu_ref/adam.h"
#include "cpu_ref/compare.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "tests/kernels/named_check.h"
#include "verify/adam.h"
#include "verify/problem.h"
#include "verify/trial.h"

namespace siamese {
namespace {

void check_moments(const Variant<AdamArgs<float>>& variant) {
  constexpr std::int64_t count = 37;
  constexpr std::int64_t steps = 10000;
  const std::vector<float> gradients = verify::draw_uniform(count * steps, -0.01, 0.01, 1);
  std::vector<double> want_parameters(count, 0.0);
  ref::AdamState<double> want(count);

  Buffer<float> gradient(variant.device, count);
  verify::DeviceTraining<float> training(want_parameters, want, variant.device);
  AdamArgs<float> args{.count = count, .gradients = gradient.data(), .adam = Adam::keras()};
  training.bind(args);
  const Launch launch = variant.prepare(args);
  for (std::int64_t t = 0; t < steps; ++t) {
    const std::span<const float> of_step = std::span(gradients).subspan(
        static_cast<std::size_t>(t * count), static_cast<std::size_t>(count));
    ref::adam_update<double>(args.adam, std::vector<double>(of_step.begin(), of_step.end()),
                             want_parameters, want);
    gradient.copy_in(of_step);
    launch(Stream{});
  }

  // A thousand steps' roundings of random sign remain in v: some sqrt(1000) of them.
  const ref::Tolerance tolerance = ref::tolerance(0x1p-24, 1000, 1.0);
  for (const ref::Comparison& comparison :
       {ref::compare<float>("m", training.m(), want.m, tolerance),
        ref::compare<float>("v", training.v(), want.v, tolerance)}) {
    EXPECT_TRUE(comparison.ok) << comparison.describe();
  }
}

std::vector<NamedCheck> checks() {
  std::vector<NamedCheck> result;
  for (const Variant<AdamArgs<float>>& variant : variants<AdamArgs<float>>()) {
    result.push_back(check_on(variant.device,
                              fmt::format("{}_{}", name(variant.device), variant.name),
                              [&variant] { check_moments(variant); }));
  }
  return result;
}

class ManySteps : public testing::TestWithParam<NamedCheck> {};

TEST_P(ManySteps, LeaveRightMoments) { GetParam().run(); }

INSTANTIATE_TEST_SUITE_P(adam, ManySteps, testing::ValuesIn(checks()), name_of_check);

}  // namespace
}  // namespace siamese
