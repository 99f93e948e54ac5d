// The reference against what PyTorch and Keras compute (tests/golden/peers.py, which made the
// values).

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cpu_ref/compare.h"
#include "cpu_ref/train.h"

namespace siamese::ref {
namespace {

using nlohmann::json;

const json& golden() {
  static const json values = [] {
    std::ifstream file(SIAMESE_GOLDEN_FOLDER "/peers.json");
    return json::parse(file);
  }();
  return values;
}

std::vector<double> numbers(const json& array) { return array.get<std::vector<double>>(); }

// Both sides compute in float64 and round apart.
void expect_same(const char* what, std::span<const double> got, std::span<const double> want) {
  const Comparison comparison = compare<double>(what, got, want, {1e-13});
  EXPECT_TRUE(comparison.ok) << comparison.describe();
}

std::span<const double> elements(const RowMatrix<double>& matrix) {
  return {matrix.data(), static_cast<std::size_t>(matrix.size())};
}

TEST(Golden, LossesAndTheirGradients) {
  const json& set = golden().at("losses");
  const RowMatrix<double> e =
      load<double>(numbers(set.at("embeddings")).data(), set.at("points"), set.at("width"));
  const PairList pairs{set.at("first"), set.at("second")};
  ASSERT_EQ(set.at("cases").size(), all_distances.size() * all_criteria.size() + 1);
  for (const json& value : set.at("cases")) {
    const std::string name = value.at("loss");
    SCOPED_TRACE(name);
    const std::vector<double> targets = numbers(value.at("targets"));
    const std::vector<double> merge = numbers(value.at("merge"));
    const LossValue<double> got =
        name == "as_written" ? as_written_loss<double>(e, pairs, targets)
                             : pair_loss<double>(parse_loss(name), e, pairs, targets, merge);
    expect_same("loss", std::span(&got.value, 1), std::vector<double>{value.at("value")});
    expect_same("gradient", elements(got.gradient), numbers(value.at("gradient")));
    expect_same("gradient of the merge", elements(RowMatrix<double>(got.merge_gradient)),
                numbers(value.at("merge_gradient")));
  }
}

TEST(Golden, NetworksForwardAndBackward) {
  ASSERT_EQ(golden().at("networks").size(), 4U);
  for (const json& value : golden().at("networks")) {
    const Network network = Network::parse(value.at("network").get<std::string>());
    SCOPED_TRACE(network.name());
    const std::int64_t n = value.at("points");
    const std::vector<double> parameters = numbers(value.at("parameters"));
    const RowMatrix<double> x =
        load<double>(numbers(value.at("x")).data(), n, network.input_width());
    const std::vector<RowMatrix<double>> h = forward<double>(network, parameters, x);
    for (std::size_t l = 0; l < h.size(); ++l) {
      expect_same("activations", elements(h[l]), numbers(value.at("activations").at(l)));
    }
    const RowMatrix<double> g =
        load<double>(numbers(value.at("gradient")).data(), n, network.embedding_width());
    expect_same("gradients", backward<double>(network, parameters, x, h, g),
                numbers(value.at("gradients")));
  }
}

TEST(Golden, AdamOfBothFrameworks) {
  const json& set = golden().at("optimisers");
  for (const Adam& adam : {Adam::keras(), Adam::torch()}) {
    SCOPED_TRACE(name(adam.form));
    std::vector<double> parameters = numbers(set.at("parameters"));
    AdamState<double> state(parameters.size());
    const json& trail = set.at(std::string(name(adam.form)));
    ASSERT_EQ(trail.size(), 5U);
    for (std::size_t step = 0; step < trail.size(); ++step) {
      adam_update<double>(adam, numbers(set.at("gradients").at(step)), parameters, state);
      expect_same("parameters", parameters, numbers(trail.at(step)));
    }
  }
}

}  // namespace
}  // namespace siamese::ref
