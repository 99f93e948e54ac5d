#pragma once

#include <cstddef>
#include <vector>

#include "kernels/ops.h"
#include "model/parameters.h"

namespace siamese::cuda {

/// A layer on the way forward: h_l [n, outputs] from h_{l-1} [n, inputs].
template <class T>
struct ForwardLayer {
  std::size_t index;
  const Layer& shape;
  const T* input;
  LayerView<const T> parameters;
  T* output;
};

/// Calls each(ForwardLayer) from the first layer to the last.
template <class T, class Each>
void for_each_layer(const PairForwardArgs<T>& args, Each each) {
  const std::vector<Layer>& layers = args.network->layers();
  const T* input = args.x;
  T* hidden = args.hidden;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    T* const output = l + 1 == layers.size() ? args.embeddings : hidden;
    each(ForwardLayer<T>{l, layer, input, view(layer, args.parameters), output});
    input = output;
    hidden += args.points * layer.outputs;
  }
}

/// A layer on the way back: its gradients from h_{l-1} [n, inputs], and dz_{l-1}.
template <class T>
struct BackwardLayer {
  std::size_t index;
  const Layer& shape;
  const Layer* below;  ///< null for the first layer, whose input needs no gradient
  const T* input;
  LayerView<const T> parameters;
  T* weight_gradient;
  T* bias_gradient;
  T* bias_gradient_below;  ///< null for the first layer
};

/// Calls each(BackwardLayer) from the last layer to the first.
template <class T, class Each>
void for_each_layer(const PairBackwardArgs<T>& args, Each each) {
  const std::vector<Layer>& layers = args.network->layers();
  const T* hidden = args.hidden + args.points * args.network->hidden_width();  // past h_{L-1}
  for (std::size_t l = layers.size(); l-- > 0;) {
    const Layer& layer = layers[l];
    const Layer* const below = l == 0 ? nullptr : &layers[l - 1];
    hidden -= args.points * layer.inputs;
    const auto gradients = view(layer, args.gradients);
    each(BackwardLayer<T>{l, layer, below, below == nullptr ? args.x : hidden,
                          view(layer, args.parameters), gradients.weights, gradients.bias,
                          below == nullptr ? nullptr : view(*below, args.gradients).bias});
  }
}

}  // namespace siamese::cuda
