// What is not a number in one point's input makes that point's embedding NaN, through whatever
// layers, and touches nothing else: no other point, and no later run of the same launch.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "tests/kernels/named_check.h"
#include "verify/forward.h"

namespace siamese {
namespace {

// Points of more than one tile of 16 rows; the row is in a block of 8 with others.
constexpr std::int64_t points = 37;
constexpr std::int64_t row = 21;

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

template <class T>
void check(const Variant<PairForwardArgs<T>>& variant, const verify::ProblemSpec& spec) {
  const verify::PairForwardProblem problem(spec);
  const Network& network = spec.network;
  std::vector<T> inputs(problem.x.data(), problem.x.data() + problem.x.size());
  Buffer<T> x(variant.device, std::span<const T>(inputs));
  const Buffer<T> parameters = verify::upload<T>(variant.device, problem.parameters);
  Buffer<T> hidden(variant.device, points * network.hidden_width());
  Buffer<T> embeddings(variant.device, points * network.embedding_width());
  const Launch launch = variant.prepare({.network = &network,
                                         .points = points,
                                         .x = x.data(),
                                         .parameters = parameters.data(),
                                         .hidden = hidden.data(),
                                         .embeddings = embeddings.data()});
  const auto run = [&] {
    hidden.poison();
    embeddings.poison();
    x.copy_in(inputs);
    launch(Stream{});
    backend(variant.device).synchronize(Stream{});
    return embeddings.copy_out();
  };
  const std::vector<T> clean = run();
  const std::vector<T> clean_hidden = hidden.copy_out();

  const auto at = static_cast<std::size_t>((row + 1) * network.input_width() - 1);
  const T before =
      std::exchange(inputs[at], static_cast<T>(std::numeric_limits<double>::quiet_NaN()));
  const std::vector<T> with_nan = run();
  const auto width = static_cast<std::size_t>(network.embedding_width());
  for (std::size_t i = 0; i < static_cast<std::size_t>(points); ++i) {
    const auto embedding = std::span(with_nan).subspan(i * width, width);
    if (i == static_cast<std::size_t>(row)) {
      EXPECT_TRUE(std::ranges::all_of(embedding, [](T e) { return std::isnan(e); }))
          << "a NaN was lost";
    } else {
      EXPECT_TRUE(same_bits<T>(embedding, std::span(clean).subspan(i * width, width)))
          << "row " << i << " has felt it";
    }
  }

  inputs[at] = before;
  EXPECT_TRUE(same_bits<T>(run(), clean)) << "the next run has felt it";
  EXPECT_TRUE(same_bits<T>(hidden.copy_out(), clean_hidden)) << "the next run has felt it";
}

template <class T>
void add_checks(Device device, std::vector<NamedCheck>& checks) {
  for (const char* text : {"11-200relu-200relu-10sigmoid", "5-33tanh-17linear-3relu", "4-24relu-9",
                           "6-40sigmoid-16tanh"}) {
    verify::ProblemSpec spec = verify::ProblemSpec::indexed(points, 0);
    spec.network = Network::parse(text);
    for (const Variant<PairForwardArgs<T>>& variant : variants<PairForwardArgs<T>>()) {
      if (variant.device != device ||
          variant.why_unsupported(verify::shape_args<PairForwardArgs<T>>(spec))) {
        continue;
      }
      std::string name =
          fmt::format("{}_{}_{}", variant.name, siamese::name(variant.precision), text);
      std::ranges::replace(name, '-', '_');
      checks.push_back(
          check_on(device, std::move(name), [&variant, spec] { check<T>(variant, spec); }));
    }
  }
}

std::vector<NamedCheck> checks(Device device) {
  std::vector<NamedCheck> list;
  add_checks<float>(device, list);
  add_checks<double>(device, list);
  return list;
}

// Named as the tests of variants are, OP/DEVICE_.., for filters to find them.
class cpu_nan_row : public testing::TestWithParam<NamedCheck> {};
class cuda_nan_row : public testing::TestWithParam<NamedCheck> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(cuda_nan_row);  // in a build without CUDA

TEST_P(cpu_nan_row, StaysAlone) { GetParam().run(); }
TEST_P(cuda_nan_row, StaysAlone) { GetParam().run(); }

INSTANTIATE_TEST_SUITE_P(pair_forward, cpu_nan_row, testing::ValuesIn(checks(Device::cpu)),
                         name_of_check);
INSTANTIATE_TEST_SUITE_P(pair_forward, cuda_nan_row, testing::ValuesIn(checks(Device::cuda)),
                         name_of_check);

}  // namespace
}  // namespace siamese
