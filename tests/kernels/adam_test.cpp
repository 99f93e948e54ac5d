// Adam over so many steps that its moments have forgotten where they began: what is wrong by a
// little in every step, which one step's tolerance does not show, has then added up.

#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <vector>

#include "cpu_ref/adam.h"
#include "cpu_ref/compare.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "verify/problem.h"
#include "verify/trial.h"

namespace siamese {
namespace {

TEST(AdamOnTheCpu, MomentsAreRightAfterTenThousandSteps) {
  constexpr std::int64_t count = 37;
  constexpr std::int64_t steps = 10000;
  const std::vector<float> drawn = verify::draw_uniform(count * steps, -0.01, 0.01, 1);
  const std::vector<double> gradients = verify::cast<double>(drawn);
  ref::AdamState<double> want(count);
  std::vector<double> want_parameters(count, 0.0);
  for (std::int64_t t = 0; t < steps; ++t) {
    ref::adam_update<double>(
        Adam::keras(), std::span(gradients).subspan(static_cast<std::size_t>(t * count), count),
        want_parameters, want);
  }

  for (const Variant<AdamArgs<float>>& variant : variants<AdamArgs<float>>()) {
    if (variant.device != Device::cpu) continue;
    std::vector<float> gradient(count);
    std::vector<float> parameters(count);
    std::vector<float> m(count);
    std::vector<float> v(count);
    std::int64_t step = 0;
    const Launch launch = variant.prepare({.count = count,
                                           .gradients = gradient.data(),
                                           .parameters = parameters.data(),
                                           .m = m.data(),
                                           .v = v.data(),
                                           .step = &step,
                                           .adam = Adam::keras()});
    for (std::int64_t t = 0; t < steps; ++t) {
      std::copy_n(drawn.data() + t * count, count, gradient.data());
      launch(Stream{});
    }
    // A thousand steps' roundings of random sign remain in v: some sqrt(1000) of them.
    const ref::Tolerance tolerance = ref::tolerance(0x1p-24, 1000, 1.0);
    for (const ref::Comparison& comparison : {ref::compare<float>("m", m, want.m, tolerance),
                                              ref::compare<float>("v", v, want.v, tolerance)}) {
      EXPECT_TRUE(comparison.ok) << variant.name << ": " << comparison.describe();
    }
  }
}

}  // namespace
}  // namespace siamese
