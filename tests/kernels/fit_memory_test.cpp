// What fit takes before it begins: all pairs are never stored (model/pairs.h), so that there may be
// more of them than any memory holds.

#include <gtest/gtest.h>

#include <algorithm>

#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese {
namespace {

TEST(FitMemory, AllPairsInOneBatchAreNotStored) {
  const Network network = Network::parse("1-1");
  FitArgs<float> args;
  args.training.network = &network;
  args.training.points = std::int64_t{1} << 20;
  args.training.pairs.form = PairForm::all;
  args.training.pairs.count = all_pairs_count(args.training.points);  // 6.6 TB as a list
  args.training.pairs.coordinate_width = 1;
  args.batch = args.training.pairs.count;
  args.epochs = 1;
  for (const Variant<FitArgs<float>>& variant : variants<FitArgs<float>>()) {
    if (variant.device != Device::cpu || variant.why_unsupported(args)) continue;
    EXPECT_NO_THROW(variant.prepare(args)) << variant.name;
  }
}

// Batches of these two are pair lists, whose indices end at 2^31 - 1.
TEST(FitMemory, BatchesOfPointsBeyondAnIndexAreRefused) {
  const Network network = Network::parse("1-1");
  FitArgs<float> args;
  args.training.network = &network;
  args.training.pairs.form = PairForm::dense;
  args.batch = 1;
  const auto refusals = [&args](std::int64_t pairs) {
    args.training.points = 2 * pairs;
    args.training.pairs.count = pairs;
    return std::ranges::count_if(variants<FitArgs<float>>(),
                                 [&args](const Variant<FitArgs<float>>& variant) {
                                   return variant.device == Device::cpu &&
                                          (variant.name == "eigen" || variant.name == "tiled") &&
                                          variant.why_unsupported(args).has_value();
                                 });
  };
  const std::int64_t most = (std::int64_t{1} << 30) - 1;
  EXPECT_EQ(refusals(most), 0);
  EXPECT_EQ(refusals(most + 1), 2);
  args.batch = most + 1;
  EXPECT_EQ(refusals(most + 1), 0) << "whole batches need no list";
}

}  // namespace
}  // namespace siamese
