#pragma once

#include <cstdint>
#include <vector>

#include "model/loss.h"
#include "model/network.h"

namespace siamese {

/// W [inputs, outputs] row-major and b [outputs] of one layer, inside a flat parameter buffer (or
/// inside a buffer of the same layout: gradients, moments).
template <class T>
struct LayerView {
  T* weights;
  T* bias;
};

template <class T>
LayerView<T> view(const Layer& layer, T* parameters) {
  return {parameters + layer.weights_offset, parameters + layer.bias_offset};
}

/// Glorot uniform: weights from U[-limit, limit), limit = sqrt(6 / (inputs + outputs)), biases 0;
/// drawn in double in the order of the buffer from the project's generator, then rounded to float,
/// so that a seed gives the same bits on every machine.
/// Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
/// networks", 2010.
std::vector<float> glorot_uniform(const Network& network, std::uint64_t seed);

/// All that a training changes: the network's parameters, and behind them the merge's. Gradients
/// and Adam's moments have the same layout.
inline std::int64_t parameter_count(const Network& network, const Loss& loss) {
  return network.parameter_count() + merge_parameters(loss.distance, network.embedding_width());
}

/// Where a training begins: glorot_uniform, and a merge of weights 1 and offset 0.
std::vector<float> initial_parameters(const Network& network, const Loss& loss, std::uint64_t seed);

}  // namespace siamese
