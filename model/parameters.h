#pragma once

#include <cstdint>
#include <vector>

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

}  // namespace siamese
