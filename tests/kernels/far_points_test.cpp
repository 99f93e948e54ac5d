// Points whose elements lie beyond 2^31. Of all ops fit alone leaves points out: batches smaller
// than the points bring their own rows, so that X [n, d0] may be large with few rows of it there.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"
#include "model/parameters.h"
#include "tests/kernels/named_check.h"
#include "tests/kernels/private_stream.h"

namespace siamese {
namespace {

constexpr std::int64_t width = 1024;
constexpr std::int64_t near_points = 64;
constexpr std::int64_t far_points = (std::int64_t{1} << 31) / width + 64;
constexpr std::int64_t rows = 4;  // the last ones, which the pairs are of

const Network& network() {
  static const Network of_test = Network::parse("1024-4tanh-2");
  return of_test;
}

FitArgs<float> shape(std::int64_t points) {
  FitArgs<float> args;
  args.training.network = &network();
  args.training.points = points;
  args.training.pairs.form = PairForm::indexed;
  args.training.pairs.count = rows * (rows - 1) / 2;
  args.epochs = 2;
  args.batch = 2;
  return args;
}

// Memory that nobody touches but where it is written: it is not poisoned.
std::shared_ptr<float> untouched(Device device, std::int64_t count) {
  return {static_cast<float*>(backend(device).allocate(buffer_bytes(count, sizeof(float)))),
          [device](float* memory) { backend(device).release(memory); }};
}

// The parameters that a variant leaves, trained on pairs of the last rows of X, which it writes.
std::vector<float> trained(const Variant<FitArgs<float>>& variant, std::int64_t points, float* x) {
  const Device device = variant.device;
  std::vector<float> last(static_cast<std::size_t>(rows * width));
  for (std::size_t i = 0; i < last.size(); ++i) {
    last[i] = static_cast<float>((i * 37) % 101) / 101.0F - 0.5F;
  }
  std::vector<PointIndex> first, second;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = i + 1; j < rows; ++j) {
      first.push_back(static_cast<PointIndex>(points - rows + i));
      second.push_back(static_cast<PointIndex>(points - rows + j));
    }
  }
  const std::vector<float> targets(first.size(), 2.0F);
  const std::vector<float> begin = glorot_uniform(network(), 1);
  const std::vector<float> zeros(begin.size(), 0.0F);
  const std::vector<std::int64_t> no_step{0};

  backend(device).copy_in(x + (points - rows) * width, last.data(),
                          buffer_bytes(rows * width, sizeof(float)));
  const Buffer<PointIndex> firsts(device, first), seconds(device, second);
  const Buffer<float> target(device, targets), parameters(device, begin), m(device, zeros),
      v(device, zeros);
  const Buffer<std::int64_t> step(device, no_step);
  FitArgs<float> args = shape(points);
  const Buffer<double> loss(device, args.epochs);
  args.training.x = x;
  args.training.pairs.first = firsts.data();
  args.training.pairs.second = seconds.data();
  args.training.pairs.targets = target.data();
  args.training.parameters = parameters.data();
  args.training.m = m.data();
  args.training.v = v.data();
  args.training.step = step.data();
  args.training.loss_value = loss.data();

  const PrivateStream stream(device);
  const Launch launch = variant.prepare(args);
  launch(stream.get());
  backend(device).synchronize(stream.get());
  return parameters.copy_out();
}

// The rows' place in X is no part of what is learnt; they move the parameters by some 1e-3 a step.
void expect_same_far_away(const Variant<FitArgs<float>>& variant) {
  std::shared_ptr<float> x;
  try {
    x = untouched(variant.device, far_points * width);
  } catch (const Failure& no_memory) {
    GTEST_SKIP() << no_memory.what();  // 8.6 GB of addresses, though few of them are used
  }
  const std::vector<float> got = trained(variant, far_points, x.get());
  x = untouched(variant.device, near_points * width);
  const std::vector<float> want = trained(variant, near_points, x.get());
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], want[i], 1e-5) << i;
}

std::vector<NamedCheck> checks(Device device) {
  std::vector<NamedCheck> list;
  for (const Variant<FitArgs<float>>& variant : variants<FitArgs<float>>()) {
    if (variant.device != device || variant.why_unsupported(shape(far_points))) continue;
    list.push_back(check_on(device, fmt::format("{}_{}", variant.name, name(variant.precision)),
                            [&variant] { expect_same_far_away(variant); }));
  }
  return list;
}

// Named as the tests of variants are, OP/DEVICE_.., for filters to find them.
class cpu_far_points : public testing::TestWithParam<NamedCheck> {};
class cuda_far_points : public testing::TestWithParam<NamedCheck> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(cuda_far_points);  // in a build without CUDA

TEST_P(cpu_far_points, AreTrainedOn) { GetParam().run(); }
TEST_P(cuda_far_points, AreTrainedOn) { GetParam().run(); }

INSTANTIATE_TEST_SUITE_P(fit, cpu_far_points, testing::ValuesIn(checks(Device::cpu)),
                         name_of_check);
INSTANTIATE_TEST_SUITE_P(fit, cuda_far_points, testing::ValuesIn(checks(Device::cuda)),
                         name_of_check);

}  // namespace
}  // namespace siamese
