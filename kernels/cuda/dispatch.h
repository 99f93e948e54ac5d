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
    case Distance::chi_square:
      return function(std::integral_constant<Distance, Distance::chi_square>{});
    case Distance::weighted_l1:
      return function(std::integral_constant<Distance, Distance::weighted_l1>{});
  }
  throw UsageError("unknown distance");
}

/// The same with the criterion.
template <class Function>
void with_criterion(Criterion criterion, Function&& function) {
  switch (criterion) {
    case Criterion::absolute:
      return function(std::integral_constant<Criterion, Criterion::absolute>{});
    case Criterion::squared:
      return function(std::integral_constant<Criterion, Criterion::squared>{});
    case Criterion::huber:
      return function(std::integral_constant<Criterion, Criterion::huber>{});
    case Criterion::contrastive:
      return function(std::integral_constant<Criterion, Criterion::contrastive>{});
    case Criterion::logistic:
      return function(std::integral_constant<Criterion, Criterion::logistic>{});
  }
  throw UsageError("unknown criterion");
}

/// With the distance, for kernels that have no place for a distance's weights, and are not compiled
/// for it.
template <class Function>
void with_unweighted_distance(Distance distance, Function&& function) {
  with_distance(distance, [&](auto constant) {
    if constexpr (has_weights(decltype(constant)::value)) {
      throw UsageError("a distance with weights; expected one that the variant supports");
    } else {
      function(constant);
    }
  });
}

}  // namespace siamese::cuda
