#pragma once

#include <span>
#include <vector>

#include "cpu_ref/forward.h"
#include "cpu_ref/matrix.h"
#include "model/network.h"
#include "model/parameters.h"

namespace siamese::ref {

/// act'(z), told from h = act(z). The derivative of relu at 0 is 0.
template <class T>
T activation_derivative(Activation activation, T h) {
  switch (activation) {
    case Activation::linear:
      return T(1);
    case Activation::relu:
      return h > T(0) ? T(1) : T(0);
    case Activation::sigmoid:
      return h * (T(1) - h);
    case Activation::tanh:
      return T(1) - h * h;
  }
  return T(0);
}

/// Gradients of the loss by the parameters, in the layout of the flat buffer, from the activations
/// h_1 .. h_L that forward gave and G = dLoss/dE [n, d]:
///   dz_l = dh_l * act_l'(z_l),  dW_l = h_{l-1}^T dz_l,  db_l = column sums of dz_l,
///   dh_{l-1} = dz_l W_l^T.
template <class T>
std::vector<T> backward(const Network& network, std::span<const T> parameters,
                        const RowMatrix<T>& x, const std::vector<RowMatrix<T>>& h,
                        const RowMatrix<T>& gradient) {
  std::vector<T> gradients(static_cast<std::size_t>(network.parameter_count()));
  RowMatrix<T> dh = gradient;
  for (std::size_t l = network.layers().size(); l-- > 0;) {
    const Layer& layer = network.layers()[l];
    const RowMatrix<T> dz = dh.cwiseProduct(h[l].unaryExpr(
        [&layer](T value) { return activation_derivative(layer.activation, value); }));
    const RowMatrix<T>& input = l == 0 ? x : h[l - 1];

    const LayerView<T> out = view(layer, gradients.data());
    Eigen::Map<RowMatrix<T>>(out.weights, layer.inputs, layer.outputs) = input.transpose() * dz;
    Eigen::Map<RowVector<T>>(out.bias, layer.outputs) = dz.colwise().sum();
    if (l > 0) dh = dz * LayerParameters<T>(layer, parameters).weights.transpose();
  }
  return gradients;
}

}  // namespace siamese::ref
