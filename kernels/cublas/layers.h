#pragma once

#include <cstddef>
#include <vector>

#include "kernels/ops.h"
#include "model/parameters.h"

namespace siamese::cublas {

/// A layer on the way forward: h_l [n, outputs] from h_{l-1} [n, inputs].
struct ForwardLayer {
  const Layer& shape;
  const float* input;
  LayerView<const float> parameters;
  float* output;
};

/// Calls each(ForwardLayer) from the first layer to the last.
template <class Each>
void for_each_layer(const PairForwardArgs<float>& args, Each each) {
  const float* input = args.x;
  float* hidden = args.hidden;
  for (const Layer& layer : args.network->layers()) {
    const bool last = &layer == &args.network->layers().back();
    float* const output = last ? args.embeddings : hidden;
    each(ForwardLayer{layer, input, view(layer, args.parameters), output});
    input = output;
    hidden += args.points * layer.outputs;
  }
}

/// A layer on the way back: its gradients from h_{l-1} [n, inputs], and dz_{l-1}.
struct BackwardLayer {
  const Layer& shape;
  const Layer* below;  ///< null for the first layer, whose input needs no gradient
  const float* input;
  LayerView<const float> parameters;
  float* weight_gradient;
  float* bias_gradient;
  float* bias_gradient_below;  ///< null for the first layer
};

/// Calls each(BackwardLayer) from the last layer to the first.
template <class Each>
void for_each_layer(const PairBackwardArgs<float>& args, Each each) {
  const std::vector<Layer>& layers = args.network->layers();
  const float* hidden = args.hidden + args.points * args.network->hidden_width();  // past h_{L-1}
  for (std::size_t l = layers.size(); l-- > 0;) {
    const Layer& layer = layers[l];
    const Layer* const below = l == 0 ? nullptr : &layers[l - 1];
    hidden -= args.points * layer.inputs;
    const auto gradients = view(layer, args.gradients);
    each(BackwardLayer{layer, below, below == nullptr ? args.x : hidden,
                       view(layer, args.parameters), gradients.weights, gradients.bias,
                       below == nullptr ? nullptr : view(*below, args.gradients).bias});
  }
}

}  // namespace siamese::cublas
