#pragma once

#include <type_traits>

#include "model/error.h"
#include "model/loss.h"

namespace siamese::cuda {

/// Calls `function` with the distance as a constant, for kernels compiled once a distance:
///   with_distance(loss.distance, [&](auto distance) { kernel<distance.value><<<...>>>(...); });
template <class Function>
void with_distance(Distance distance, Function&& function) {
  switch (distance) {
    case Distance::sqeuclidean:
      return function(std::integral_constant<Distance, Distance::sqeuclidean>{});
    case Distance::euclidean:
      return function(std::integral_constant<Distance, Distance::euclidean>{});
    case Distance::manhattan:
      return function(std::integral_constant<Distance, Distance::manhattan>{});
    case Distance::cosine:
      return function(std::integral_constant<Distance, Distance::cosine>{});
  }
  throw UsageError("unknown distance");
}

}  // namespace siamese::cuda
