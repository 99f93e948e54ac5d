#pragma once

#include <type_traits>

#include "model/loss.h"

namespace siamese::cuda {

/// Calls function(distance) with it as a constant: one branch, for kernels of which the distance is
/// a small part, compiled once. A distance with weights, which they refuse, is not compiled for and
/// gives 0.
template <class Function>
__device__ auto by_unweighted_distance(Distance distance, Function&& function) {
  switch (distance) {
    case Distance::sqeuclidean:
      return function(std::integral_constant<Distance, Distance::sqeuclidean>{});
    case Distance::euclidean:
      return function(std::integral_constant<Distance, Distance::euclidean>{});
    case Distance::manhattan:
      return function(std::integral_constant<Distance, Distance::manhattan>{});
    case Distance::cosine:
      return function(std::integral_constant<Distance, Distance::cosine>{});
    case Distance::chi_square:
    case Distance::weighted_l1:
      break;
  }
  return decltype(function(std::integral_constant<Distance, Distance::cosine>{})){};
}

}  // namespace siamese::cuda
