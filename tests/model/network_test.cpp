#include "model/network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "model/error.h"
#include "model/parameters.h"

namespace siamese {
namespace {

TEST(Network, SeedHasItsParameters) {
  const Network network = seed_network();
  EXPECT_EQ(network.name(), "11-200relu-200relu-10sigmoid");
  EXPECT_EQ(network.parameter_count(), 44610);
  EXPECT_EQ(network.hidden_width(), 400);
  EXPECT_EQ(network.forward_multiply_adds(), 44200);
  // Forward and backward together: 260.8 kFLOP a point.
  EXPECT_EQ(2 * (network.forward_multiply_adds() + network.backward_multiply_adds()), 260800);
}

TEST(Network, LayersLieOneAfterAnother) {
  const Network network = Network::parse("2-3tanh-4");
  ASSERT_EQ(network.layers().size(), 2U);
  EXPECT_EQ(network.layers()[0].weights_offset, 0);
  EXPECT_EQ(network.layers()[0].bias_offset, 6);
  EXPECT_EQ(network.layers()[1].weights_offset, 9);
  EXPECT_EQ(network.layers()[1].bias_offset, 21);
  EXPECT_EQ(network.parameter_count(), 25);
  EXPECT_EQ(network.layers()[1].activation, Activation::linear);
}

TEST(Network, NameIsTheInverseOfParse) {
  for (const char* text : {"1-1linear", "3-17tanh-33sigmoid-5linear", "1024-1024relu-1sigmoid"}) {
    EXPECT_EQ(Network::parse(text).name(), text);
  }
}

class FaultyNetwork : public testing::TestWithParam<const char*> {};

TEST_P(FaultyNetwork, IsRefused) { EXPECT_THROW(Network::parse(GetParam()), UsageError); }

INSTANTIATE_TEST_SUITE_P(Texts, FaultyNetwork,
                         testing::Values("", "11", "11-", "-5", "11--5", "11-5-", "11relu-5",
                                         "11-relu", "11-5elu", "0-5", "11-0", "11- 5", "11-5relu ",
                                         "99999999999999999999-5", "11-100000000"));

TEST(Network, ErrorNamesTheFaultyPart) {
  try {
    Network::parse("11-200relu-10sigmod");
    FAIL() << "accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'sigmod'"), std::string::npos) << error.what();
  }
}

TEST(Network, ErrorSaysThatAWidthIsTooLarge) {
  for (const char* text : {"99999999999999999999-5", "5-99999999999999999999relu", "16777217-5"}) {
    try {
      Network::parse(text);
      FAIL() << "accepted";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("expected 1 to 16777216"), std::string::npos)
          << error.what();
    }
  }
}

TEST(Glorot, SameSeedSameBits) {
  const std::vector<float> parameters = glorot_uniform(seed_network(), 0);
  EXPECT_EQ(parameters, glorot_uniform(seed_network(), 0));
  EXPECT_NE(parameters, glorot_uniform(seed_network(), 1));
  // Fixed for all time: results name their initialisation by its seed.
  EXPECT_EQ(parameters[0], 0x1.08c17ap-3F);
  EXPECT_EQ(parameters[1], -0x1.7a5a68p-6F);
}

TEST(Glorot, WeightsFillTheirRangeAndBiasesAreZero) {
  const Network network = seed_network();
  const std::vector<float> parameters = glorot_uniform(network, 5);
  for (const Layer& layer : network.layers()) {
    const double limit = std::sqrt(6.0 / static_cast<double>(layer.inputs + layer.outputs));
    const LayerView<const float> p = view(layer, parameters.data());
    double sum = 0.0;
    double largest = 0.0;
    const std::int64_t count = layer.inputs * layer.outputs;
    for (std::int64_t i = 0; i < count; ++i) {
      sum += p.weights[i];
      largest = std::max(largest, std::abs(static_cast<double>(p.weights[i])));
    }
    EXPECT_LE(largest, limit);
    EXPECT_GT(largest, 0.99 * limit);
    // The mean of `count` such weights has standard deviation limit / sqrt(3 count).
    EXPECT_LT(std::abs(sum / static_cast<double>(count)),
              4.0 * limit / std::sqrt(3.0 * static_cast<double>(count)));
    for (std::int64_t k = 0; k < layer.outputs; ++k) EXPECT_EQ(p.bias[k], 0.0F);
  }
}

}  // namespace
}  // namespace siamese
