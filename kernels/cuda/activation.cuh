#pragma once

#include <type_traits>

#include "model/network.h"

namespace siamese::cuda {

/// act(z), stable for large |z|. A NaN passes through.
template <class T>
__device__ T activate(Activation activation, T z) {
  switch (activation) {
    case Activation::linear:
      return z;
    case Activation::relu:
      return z <= T(0) ? T(0) : z;
    case Activation::sigmoid: {
      const T e = exp(-fabs(z));
      return (z >= T(0) ? T(1) : e) / (T(1) + e);
    }
    case Activation::tanh:
      return tanh(z);
  }
  return z;
}

/// Calls function(activation) with it as a constant: one branch for all elements that the function
/// works on, where a branch for each would be most of the work.
template <class Function>
__device__ void with_activation(Activation activation, Function&& function) {
  switch (activation) {
    case Activation::linear:
      return function(std::integral_constant<Activation, Activation::linear>{});
    case Activation::relu:
      return function(std::integral_constant<Activation, Activation::relu>{});
    case Activation::sigmoid:
      return function(std::integral_constant<Activation, Activation::sigmoid>{});
    case Activation::tanh:
      return function(std::integral_constant<Activation, Activation::tanh>{});
  }
}

/// act'(z), told from h = act(z).
template <class T>
__device__ T activation_derivative(Activation activation, T h) {
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
  return T(1);
}

}  // namespace siamese::cuda
