// What the losses are where a formula alone does not say (model/loss.h): equal points, points at
// the origin, 0/0, D = t; and NaN. The problems of verify/ keep away from all of these. Here are
// batches so small that their results can be worked out on paper, for every variant of the losses.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "cpu_ref/compare.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "tests/kernels/named_check.h"
#include "verify/trial.h"

namespace siamese {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// Points of a few features and what all their pairs give, listed or not. The target of a pair is
// the difference of its points' coordinates.
struct Batch {
  Loss loss;
  std::vector<double> embeddings;   // E [n, d]
  std::vector<double> coordinates;  // C [n, 1]
  std::vector<double> merge;
  double want_loss;
  std::vector<double> want_gradient;  // G [n, d]
  std::vector<double> want_merge_gradient;
  double roundings = 8;  // allowed: a handful of operations on numbers of about 1

  std::int64_t points() const { return static_cast<std::int64_t>(coordinates.size()); }
  std::int64_t width() const { return static_cast<std::int64_t>(embeddings.size()) / points(); }
};

struct Convention {
  std::string name;
  std::vector<Batch> batches;
};

// Two points are the same, and a third is elsewhere.
std::vector<Batch> equal_points() {
  const std::vector<double> points{1, 2, 1, 2, 4, 6};
  return {
      // D = 0, 5, 5, targets 1, 4, 3: the first pair has a cost of 1 and no gradient.
      {{Distance::euclidean, Criterion::squared},
       points,
       {0, 1, 4},
       {},
       2.0,
       {-0.4, -8.0 / 15, -0.8, -16.0 / 15, 1.2, 1.6},
       {}},
      // D = 0, 25, 25, targets 1, 24, 23.
      {{Distance::sqeuclidean, Criterion::squared},
       points,
       {0, 1, 24},
       {},
       2.0,
       {-4, -16.0 / 3, -8, -32.0 / 3, 12, 16},
       {}},
      // D = 0, 7, 7, targets 1, 6, 5.
      {{Distance::manhattan, Criterion::squared},
       points,
       {0, 1, 6},
       {},
       2.0,
       {-2.0 / 3, -2.0 / 3, -4.0 / 3, -4.0 / 3, 2, 2},
       {}},
      // w = (1, 2), c = 1: D = 1, 12, 12, targets 1, 11, 10.
      {{Distance::weighted_l1, Criterion::squared},
       points,
       {0, 1, 11},
       {1, 2, 1},
       5.0 / 3,
       {-2.0 / 3, -4.0 / 3, -4.0 / 3, -8.0 / 3, 2, 4},
       {6, 8, 2}},
      // D = 0, 1, 1, targets 1, 1, 0.
      {{Distance::cosine, Criterion::squared},
       {2, 0, 2, 0, 0, 4},
       {0, 1, 1},
       {},
       2.0 / 3,
       {0, 0, 0, -1.0 / 3, -1.0 / 6, 0},
       {}},
  };
}

// A point's distance to itself is 0 exactly, however wide it is: no epsilon under a root, no
// difference of large sums. So many points that their pairs are some blocks, and a rest.
std::vector<Batch> same_point() {
  constexpr std::int64_t points = 40;
  std::vector<Batch> batches;
  for (const std::size_t width : {2, 128}) {
    std::vector<double> embeddings;
    for (std::size_t i = 0; i < points * width; ++i) {
      embeddings.push_back(static_cast<double>(i % width % 9) / 7);
    }
    for (const Distance distance : all_distances) {
      if (distance == Distance::cosine) continue;  // whose 1 - a.b/(|a||b|) is rounded
      std::vector<double> merge(
          static_cast<std::size_t>(merge_parameters(distance, static_cast<std::int64_t>(width))),
          0.3);
      if (distance == Distance::weighted_l1) merge.back() = 0;  // what is added to any distance
      const std::vector<double> no_merge_gradient(merge.size(), 0);
      batches.push_back({{distance, Criterion::absolute},
                         embeddings,
                         std::vector<double>(points, 1.0),
                         merge,
                         0.0,
                         std::vector<double>(embeddings.size(), 0.0),
                         no_merge_gradient,
                         0});
    }
  }
  return batches;
}

// A NaN reaches the loss by every distance and every criterion.
std::vector<Batch> with_nan() {
  std::vector<Batch> batches;
  for (const Distance distance : all_distances) {
    for (const Criterion criterion : all_criteria) {
      const std::vector<double> ones(static_cast<std::size_t>(merge_parameters(distance, 2)), 1.0);
      batches.push_back(
          {{distance, criterion}, {1, 2, 4, 6, nan, 1}, {0, 1, 1}, ones, nan, {}, {}});
    }
  }
  return batches;
}

std::vector<Convention> conventions() {
  return {
      {"equal_points", equal_points()},
      {"same_point", same_point()},
      // Of two features one is the same, so that the other alone has a gradient.
      {"equal_features",
       {{{Distance::manhattan, Criterion::squared},
         {1, 2, 1, 5},
         {0, 1},
         {},
         4.0,
         {0, -4, 0, 4},
         {}}}},
      // Two points are at the origin: D = 1 with gradient 0 for every pair but the last, whose
      // points are at right angles. Targets 0.
      {"zero_norms",
       {{{Distance::cosine, Criterion::squared},
         {0, 0, 0, 0, 2, 0, 0, 4},
         {0, 0, 0, 0},
         {},
         1.0,
         {0, 0, 0, 0, 0, -1.0 / 6, -1.0 / 12, 0},
         {}}}},
      // 0/0 in a feature of the first pair, as behind a relu; w = (1, 2): D = 2, 4, 2, targets 1,
      // 3, 2.
      {"zeros_over_zeros",
       {{{Distance::chi_square, Criterion::squared},
         {0, 1, 0, 3, 2, 3},
         {0, 1, 3},
         {1, 2},
         2.0 / 3,
         {-2, -10.0 / 3, 0, 1, 2.0 / 3, 1},
         {4.0 / 3, 4.0 / 3}}}},
      // D = t = 5, where |D - t| has its kink.
      {"distances_of_their_targets",
       {{{Distance::euclidean, Criterion::absolute},
         {0, 0, 3, 4},
         {0, 5},
         {},
         0.0,
         {0, 0, 0, 0},
         {}}}},
      {"nan", with_nan()},
  };
}

template <class T>
void set_pairs(DistanceLossArgs<T>& args, const Batch& batch) {
  args.pairs.form = PairForm::indexed;
  args.pairs.count = all_pairs_count(batch.points());
}
template <class T>
void set_pairs(AllPairsLossArgs<T>& args, const Batch& /*batch*/) {
  args.coordinate_width = 1;
}

// The arguments of a batch, every pointer null.
template <class Args>
Args shape_of(const Batch& batch) {
  Args args;
  args.points = batch.points();
  args.width = batch.width();
  args.loss = batch.loss;
  set_pairs(args, batch);
  return args;
}

// A batch on a device: the inputs, and outputs that nothing has written yet.
template <class T>
struct DeviceBatch {
  DeviceBatch(const Batch& batch, Device device)
      : embeddings(verify::upload<T>(device, batch.embeddings)),
        coordinates(verify::upload<T>(device, batch.coordinates)),
        merge(verify::upload<T>(device, batch.merge)),
        loss_value(device, 1),
        gradient(device, embeddings.size()),
        merge_gradient(device, merge.size()) {
    const PairList pairs = all_pairs_list(batch.points());
    std::vector<double> differences;
    for (std::size_t p = 0; p < pairs.first.size(); ++p) {
      differences.push_back(std::abs(batch.coordinates[static_cast<std::size_t>(pairs.first[p])] -
                                     batch.coordinates[static_cast<std::size_t>(pairs.second[p])]));
    }
    first = {device, std::span<const PointIndex>(pairs.first)};
    second = {device, std::span<const PointIndex>(pairs.second)};
    targets = verify::upload<T>(device, differences);
  }

  void bind(DistanceLossArgs<T>& args) const {
    args.pairs.first = first.data();
    args.pairs.second = second.data();
    args.pairs.targets = targets.data();
  }
  void bind(AllPairsLossArgs<T>& args) const { args.coordinates = coordinates.data(); }

  Buffer<T> embeddings, coordinates, merge;
  Buffer<double> loss_value;
  Buffer<T> gradient, merge_gradient;
  Buffer<PointIndex> first, second;
  Buffer<T> targets;
};

template <template <class> class Args, class T>
void check(const Variant<Args<T>>& variant, const Batch& batch) {
  const DeviceBatch<T> on_device(batch, variant.device);
  auto args = shape_of<Args<T>>(batch);
  args.embeddings = on_device.embeddings.data();
  args.merge = on_device.merge.data();
  args.loss_value = on_device.loss_value.data();
  args.gradient = on_device.gradient.data();
  args.merge_gradient = on_device.merge_gradient.data();
  on_device.bind(args);
  variant.prepare(args)(Stream{});
  backend(variant.device).synchronize(Stream{});

  const ref::Tolerance tolerance{
      .relative = batch.roundings * verify::unit_roundoff(variant.precision), .least_scale = 1.0};
  const auto expect = [&tolerance](const char* what, const auto& got,
                                   const std::vector<double>& want) {
    using Got = typename std::decay_t<decltype(got)>::value_type;
    const ref::Comparison comparison =
        ref::compare<Got>(what, std::span<const Got>(got), want, tolerance);
    EXPECT_TRUE(comparison.ok) << comparison.describe();
  };
  expect("loss", on_device.loss_value.copy_out(), {batch.want_loss});
  if (std::isnan(batch.want_loss)) return;  // nothing is promised of its gradients
  expect("gradient of the embeddings", on_device.gradient.copy_out(), batch.want_gradient);
  expect("gradient of the merge", on_device.merge_gradient.copy_out(), batch.want_merge_gradient);
}

template <template <class> class Args, class T>
void add_checks(Device device, std::vector<NamedCheck>& checks) {
  for (const Variant<Args<T>>& variant : variants<Args<T>>()) {
    if (variant.device != device) continue;
    for (Convention convention : conventions()) {
      std::erase_if(convention.batches, [&variant](const Batch& batch) {
        return variant.why_unsupported(shape_of<Args<T>>(batch)).has_value();
      });
      if (convention.batches.empty()) continue;
      checks.push_back(check_on(
          device, fmt::format("{}_{}_{}", variant.name, name(variant.precision), convention.name),
          [&variant, batches = std::move(convention.batches)] {
            for (const Batch& batch : batches) {
              const testing::ScopedTrace trace(__FILE__, __LINE__, name(batch.loss));
              check<Args, T>(variant, batch);
            }
          }));
    }
  }
}

template <template <class> class Args>
std::vector<NamedCheck> checks(Device device) {
  std::vector<NamedCheck> list;
  add_checks<Args, float>(device, list);
  add_checks<Args, double>(device, list);
  return list;
}

// Named as the tests of variants are, OP/DEVICE_.., for filters to find them.
class cpu_conventions : public testing::TestWithParam<NamedCheck> {};
class cuda_conventions : public testing::TestWithParam<NamedCheck> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(cuda_conventions);  // in a build without CUDA

TEST_P(cpu_conventions, Hold) { GetParam().run(); }
TEST_P(cuda_conventions, Hold) { GetParam().run(); }

INSTANTIATE_TEST_SUITE_P(distance_loss, cpu_conventions,
                         testing::ValuesIn(checks<DistanceLossArgs>(Device::cpu)), name_of_check);
INSTANTIATE_TEST_SUITE_P(distance_loss, cuda_conventions,
                         testing::ValuesIn(checks<DistanceLossArgs>(Device::cuda)), name_of_check);
INSTANTIATE_TEST_SUITE_P(all_pairs_loss, cpu_conventions,
                         testing::ValuesIn(checks<AllPairsLossArgs>(Device::cpu)), name_of_check);
INSTANTIATE_TEST_SUITE_P(all_pairs_loss, cuda_conventions,
                         testing::ValuesIn(checks<AllPairsLossArgs>(Device::cuda)), name_of_check);

}  // namespace
}  // namespace siamese
