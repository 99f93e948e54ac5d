#include "model/parameters.h"

#include <cmath>

#include "model/random.h"

namespace siamese {

std::vector<float> glorot_uniform(const Network& network, std::uint64_t seed) {
  std::vector<float> parameters(static_cast<std::size_t>(network.parameter_count()), 0.0F);
  Random random(seed);
  for (const Layer& layer : network.layers()) {
    const double limit = std::sqrt(6.0 / static_cast<double>(layer.inputs + layer.outputs));
    float* const weights = view(layer, parameters.data()).weights;
    for (std::int64_t i = 0; i < layer.inputs * layer.outputs; ++i) {
      weights[i] = static_cast<float>(limit * (2.0 * random.uniform() - 1.0));
    }
  }
  return parameters;
}

std::vector<float> initial_parameters(const Network& network, const Loss& loss,
                                      std::uint64_t seed) {
  std::vector<float> parameters = glorot_uniform(network, seed);
  if (has_weights(loss.distance)) {
    parameters.insert(parameters.end(), static_cast<std::size_t>(network.embedding_width()), 1.0F);
  }
  if (has_offset(loss.distance)) parameters.push_back(0.0F);
  return parameters;
}

}  // namespace siamese
