// Denormal numbers, which a processor may be a hundred times slower with: kernels take them for 0,
// and their caller's arithmetic stays as it was.

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese {
namespace {

// Half of the smallest normal number, computed when the program runs.
float denormal() {
  volatile float smallest = std::numeric_limits<float>::min();
  return smallest * 0.5F;
}

TEST(FlushToZero, HoldsInEveryThreadOfATeamAndEndsWithIt) {
  ASSERT_GT(denormal(), 0.0F);
  for (const int threads : {1, 2, 3}) {
    std::vector<float> seen(static_cast<std::size_t>(threads), 1.0F);
    parallel(threads, [&](const Team& team) {
      seen[static_cast<std::size_t>(team.index())] = denormal();
      for (int other = team.size(); other < threads; ++other) {
        seen[static_cast<std::size_t>(other)] = 0.0F;  // a team may be smaller than asked for
      }
    });
    EXPECT_EQ(seen, std::vector<float>(seen.size(), 0.0F)) << threads << " threads";
    EXPECT_GT(denormal(), 0.0F) << "the caller's mode was not put back";
  }
}

// The moments of a parameter without a gradient decay into the denormal numbers.
TEST(FlushToZero, DenormalMomentsBecomeZeroInTiledAdam) {
  for (const Variant<AdamArgs<float>>& variant : variants<AdamArgs<float>>()) {
    if (variant.device != Device::cpu || variant.name != "tiled") continue;
    constexpr std::int64_t count = 1000;
    const std::vector<float> zeros(count, 0.0F);
    const std::vector<float> tiny(count, denormal());
    const std::vector<float> ones(count, 1.0F);
    const Buffer<float> gradients(Device::cpu, std::span<const float>(zeros));
    const Buffer<float> parameters(Device::cpu, std::span<const float>(ones));
    const Buffer<float> m(Device::cpu, std::span<const float>(tiny));
    const Buffer<float> v(Device::cpu, std::span<const float>(tiny));
    const std::vector<std::int64_t> before{1000};
    const Buffer<std::int64_t> step(Device::cpu, std::span<const std::int64_t>(before));
    AdamArgs<float> args;
    args.count = count;
    args.gradients = gradients.data();
    args.parameters = parameters.data();
    args.m = m.data();
    args.v = v.data();
    args.step = step.data();
    variant.prepare(args)(Stream{});
    EXPECT_EQ(m.copy_out(), zeros);
    EXPECT_EQ(v.copy_out(), zeros);
    EXPECT_EQ(parameters.copy_out(), ones);
    return;
  }
  FAIL() << "no tiled Adam on the CPU";
}

}  // namespace
}  // namespace siamese
