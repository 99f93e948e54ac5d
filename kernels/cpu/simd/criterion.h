#pragma once

#include "kernels/cpu/simd/activation.h"
#include "kernels/cpu/simd/vector.h"
#include "model/loss.h"

namespace siamese {
namespace {

/// Costs of pairs, one a lane, and their derivatives by the distance.
template <class T>
struct Costs {
  Vector<T> value;
  Vector<T> by_distance;
};

template <class T>
inline Costs<T> criterion(const Loss& loss, Vector<T> distance, Vector<T> target) {
  const T constant = static_cast<T>(loss.constant);
  const Vector<T> e = distance - target;
  switch (loss.criterion) {
    case Criterion::absolute:
      return {absolute<T>(e), sign<T>(e)};
    case Criterion::squared:
      return {e * e, T(2) * e};
    case Criterion::huber: {
      const Vector<T> size = absolute<T>(e);
      const auto outside = size > constant;
      return {outside ? constant * (size - T(0.5) * constant) : T(0.5) * e * e,
              outside ? constant * sign<T>(e) : e};
    }
    case Criterion::contrastive: {
      const Vector<T> similar = T(1) - target;
      const Vector<T> hinge = distance > constant ? Vector<T>{} : constant - distance;
      return {T(0.5) * (similar * distance * distance + target * hinge * hinge),
              similar * distance - target * hinge};
    }
    case Criterion::logistic: {
      const Vector<T> e = exponential<T>(-absolute<T>(distance)).value();
      const Vector<T> far = T(1) / (T(1) + e);  // sigmoid(|D|)
      const Vector<T> near = e * far;           // sigmoid(-|D|)
      const auto positive = distance > T(0);
      const Vector<T> dissimilar = T(1) - target;
      return {log_one_plus<T>(e) + (positive ? dissimilar * distance : -target * distance),
              dissimilar * (positive ? far : near) - target * (positive ? near : far)};
    }
  }
  __builtin_unreachable();
}

/// What the three distances of a difference a - b share: each is a sum over features of `term`,
/// perhaps its square root, and its gradient by a is `slope` times `direction`, by b the negative.
template <Distance distance, class T>
struct DifferenceDistance {
  static Vector<T> term(Vector<T> difference) {
    if constexpr (distance == Distance::manhattan) return absolute<T>(difference);
    return difference * difference;
  }
  static Vector<T> value(Vector<T> sum) {
    if constexpr (distance == Distance::euclidean) return square_root<T>(sum);
    return sum;
  }
  /// From dCost/dD; 0 where a Euclidean distance is 0, but NaN stays NaN.
  static Vector<T> slope(Vector<T> value, Vector<T> by_distance) {
    if constexpr (distance == Distance::sqeuclidean) return T(2) * by_distance;
    if constexpr (distance == Distance::manhattan) return by_distance;
    return value == T(0) ? Vector<T>{} : by_distance / value;
  }
  static Vector<T> direction(Vector<T> difference) {
    if constexpr (distance == Distance::manhattan) return sign<T>(difference);
    return difference;
  }
};

/// What one feature of two points has in a distance with weights, which is the sum of w_k term_k
/// and perhaps an offset: its term, and the term's derivatives by a and by b.
template <class T>
struct Feature {
  Vector<T> term;
  Vector<T> by_a;
  Vector<T> by_b;
};

template <Distance distance, class T>
inline Feature<T> weighted_feature(Vector<T> a, Vector<T> b) {
  static_assert(has_weights(distance));
  const Vector<T> difference = a - b;
  if constexpr (distance == Distance::weighted_l1) {
    const Vector<T> direction = sign<T>(difference);
    return {absolute<T>(difference), direction, -direction};
  } else {
    // r = (a - b) / (a + b): the derivatives (a - b) (a + 3 b) / (a + b)^2 = r (2 - r), and by b
    // -r (2 + r).
    const Vector<T> ratio = difference == T(0) ? difference : difference / (a + b);
    return {ratio * difference, ratio * (T(2) - ratio), -ratio * (T(2) + ratio)};
  }
}

template <class T>
inline double sum_of_lanes(Vector<T> x) {
  double sum = 0.0;
  for (int i = 0; i < lanes<T>; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

}  // namespace
}  // namespace siamese
