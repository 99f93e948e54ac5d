#pragma once

#include <cmath>
#include <span>
#include <vector>

#include "cpu_ref/matrix.h"
#include "model/network.h"
#include "model/parameters.h"

namespace siamese::ref {

/// act(z), stable for large |z|: the sigmoid never takes exp of a positive number.
template <class T>
T activate(Activation activation, T z) {
  switch (activation) {
    case Activation::linear:
      return z;
    case Activation::relu:
      return z > T(0) || std::isnan(z) ? z : T(0);  // a NaN passes through
    case Activation::sigmoid: {
      const T e = std::exp(-std::abs(z));
      return (z >= T(0) ? T(1) : e) / (T(1) + e);
    }
    case Activation::tanh:
      return std::tanh(z);
  }
  return z;
}

/// The parameters of one layer as matrices over the flat buffer.
template <class T>
struct LayerParameters {
  Eigen::Map<const RowMatrix<T>> weights;  // W [inputs, outputs]
  Eigen::Map<const RowVector<T>> bias;     // b [outputs]

  LayerParameters(const Layer& layer, std::span<const T> parameters)
      : weights(parameters.data() + layer.weights_offset, layer.inputs, layer.outputs),
        bias(parameters.data() + layer.bias_offset, layer.outputs) {}
};

/// X [n, d0] -> h_1 [n, d_1], .., h_L [n, d]: h_l = act_l(h_{l-1} W_l + b_l), with h_0 = X.
template <class T>
std::vector<RowMatrix<T>> forward(const Network& network, std::span<const T> parameters,
                                  const RowMatrix<T>& x) {
  std::vector<RowMatrix<T>> h;
  for (const Layer& layer : network.layers()) {
    const LayerParameters<T> p(layer, parameters);
    const RowMatrix<T>& input = h.empty() ? x : h.back();
    RowMatrix<T> z = (input * p.weights).rowwise() + p.bias;
    h.push_back(z.unaryExpr([&layer](T value) { return activate(layer.activation, value); }));
  }
  return h;
}

}  // namespace siamese::ref
