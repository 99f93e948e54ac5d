// The registries themselves.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>

#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese {
namespace {

template <class Args>
void expect_distinct_names() {
  std::set<std::tuple<Device, Precision, std::string>> names;
  for (const Variant<Args>& variant : variants<Args>()) {
    EXPECT_TRUE(names.emplace(variant.device, variant.precision, variant.name).second)
        << "two variants of one name: " << op_name<Args> << '/' << name(variant.device) << '_'
        << variant.name << '_' << name(variant.precision);
  }
}

template <template <class> class Args>
void expect_distinct_names_of_both() {
  expect_distinct_names<Args<float>>();
  expect_distinct_names<Args<double>>();
}

TEST(Registry, NamesAreDistinct) {
  expect_distinct_names_of_both<PairForwardArgs>();
  expect_distinct_names_of_both<DistanceLossArgs>();
  expect_distinct_names_of_both<AllPairsLossArgs>();
  expect_distinct_names_of_both<PairBackwardArgs>();
  expect_distinct_names_of_both<AdamArgs>();
  expect_distinct_names_of_both<TrainStepArgs>();
  expect_distinct_names_of_both<FitArgs>();
}

}  // namespace
}  // namespace siamese
