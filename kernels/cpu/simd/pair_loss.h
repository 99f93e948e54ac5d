#pragma once

#include "kernels/cpu/simd/criterion.h"
#include "kernels/cpu/simd/tiled.h"

// Loss and gradient of listed pairs. As many pairs as a vector has lanes are taken at once: rows of
// E are read as vectors of features, the lane sums of all their terms become one vector of
// distances, and the costs of all of them are computed together; then each pair adds its gradient
// to its two rows.

namespace siamese {
namespace {

/// One row of E or G in vectors; what lies beyond its width counts as 0.
template <class T>
struct RowVectors {
  std::int64_t width;

  Vector<T> at(const T* row, std::int64_t column) const {
    const Vector<T> x = load(row + column);
    const std::int64_t left = width - column;
    return left < lanes<T> ? only_lanes<T>(x, 0, left) : x;
  }
};

/// The costs of the lanes in use, summed and masked.
template <class T>
inline Costs<T> masked_criterion(const Loss& loss, Vector<T> distance, Vector<T> target,
                                 std::int64_t used) {
  Costs<T> costs = criterion<T>(loss, distance, target);
  costs.value = only_lanes<T>(costs.value, 0, used);
  return costs;
}

template <class T>
inline Vector<T> load_first(const T* from, std::int64_t used) {
  if (used == lanes<T>) return load(from);
  Vector<T> x{};
  for (int i = 0; i < used; ++i) x[i] = from[i];
  return x;
}

/// The pairs begin .. begin + used - 1, used <= lanes, of one of the distances of a difference.
template <Distance distance, class T>
inline Vector<T> difference_pairs(const Loss& loss, RowVectors<T> row, const PairRows<T>& pairs,
                                  std::int64_t begin, std::int64_t used, T weight,
                                  TileView<const T> e, TileView<T> g) {
  using D = DifferenceDistance<distance, T>;
  Vector<T> terms[lanes<T>]{};
  for (std::int64_t p = 0; p < used; ++p) {
    const T* const a = e.data + pairs.first[begin + p] * e.stride;
    const T* const b = e.data + pairs.second[begin + p] * e.stride;
    for (std::int64_t k = 0; k < row.width; k += lanes<T>) {
      terms[p] += D::term(row.at(a, k) - row.at(b, k));
    }
  }
  const Vector<T> value = D::value(sum_lanes(terms));
  const Costs<T> costs =
      masked_criterion<T>(loss, value, load_first(pairs.targets + begin, used), used);
  const Vector<T> slope = weight * D::slope(value, costs.by_distance);
  for (std::int64_t p = 0; p < used; ++p) {
    const std::int64_t i = pairs.first[begin + p];
    const std::int64_t j = pairs.second[begin + p];
    if (i == j) continue;  // its two halves cancel
    for (std::int64_t k = 0; k < row.width; k += lanes<T>) {
      const Vector<T> difference =
          row.at(e.data + i * e.stride, k) - row.at(e.data + j * e.stride, k);
      const Vector<T> step = slope[p] * D::direction(difference);
      T* const g_i = g.data + i * g.stride + k;
      T* const g_j = g.data + j * g.stride + k;
      store(g_i, load(g_i) + step);
      store(g_j, load(g_j) - step);
    }
  }
  return costs.value;
}

/// 1 / norm from the square of the norm, 0 for 0: a cosine with a point at the origin is then 0,
/// and so is its gradient.
template <class T>
inline Vector<T> inverse_norm(Vector<T> square) {
  return square == T(0) ? Vector<T>{} : T(1) / square_root<T>(square);
}

/// The same for the cosine distance 1 - cos, cos = a.b / (|a| |b|):
///   dcos/da = b / (|a| |b|) - cos a / |a|^2, and the like by b.
template <class T>
inline Vector<T> cosine_pairs(const Loss& loss, RowVectors<T> row, const PairRows<T>& pairs,
                              std::int64_t begin, std::int64_t used, T weight, TileView<const T> e,
                              TileView<T> g) {
  Vector<T> aa[lanes<T>]{};
  Vector<T> bb[lanes<T>]{};
  Vector<T> ab[lanes<T>]{};
  for (std::int64_t p = 0; p < used; ++p) {
    for (std::int64_t k = 0; k < row.width; k += lanes<T>) {
      const Vector<T> a = row.at(e.data + pairs.first[begin + p] * e.stride, k);
      const Vector<T> b = row.at(e.data + pairs.second[begin + p] * e.stride, k);
      aa[p] += a * a;
      bb[p] += b * b;
      ab[p] += a * b;
    }
  }
  const Vector<T> a_inverse = inverse_norm<T>(sum_lanes(aa));
  const Vector<T> b_inverse = inverse_norm<T>(sum_lanes(bb));
  const Vector<T> cosine = sum_lanes(ab) * a_inverse * b_inverse;
  const Costs<T> costs =
      masked_criterion<T>(loss, T(1) - cosine, load_first(pairs.targets + begin, used), used);
  const Vector<T> slope = weight * costs.by_distance;
  const Vector<T> across = slope * a_inverse * b_inverse;
  const Vector<T> along_a = slope * cosine * a_inverse * a_inverse;
  const Vector<T> along_b = slope * cosine * b_inverse * b_inverse;
  for (std::int64_t p = 0; p < used; ++p) {
    const std::int64_t i = pairs.first[begin + p];
    const std::int64_t j = pairs.second[begin + p];
    if (i == j) continue;
    for (std::int64_t k = 0; k < row.width; k += lanes<T>) {
      const Vector<T> a = row.at(e.data + i * e.stride, k);
      const Vector<T> b = row.at(e.data + j * e.stride, k);
      T* const g_i = g.data + i * g.stride + k;
      T* const g_j = g.data + j * g.stride + k;
      store(g_i, load(g_i) + (along_a[p] * a - across[p] * b));
      store(g_j, load(g_j) + (along_b[p] * b - across[p] * a));
    }
  }
  return costs.value;
}

/// The same for the distances with weights.
template <Distance distance, class T>
inline Vector<T> weighted_pairs(const Merge<T>& merge, const Loss& loss, RowVectors<T> row,
                                const PairRows<T>& pairs, std::int64_t begin, std::int64_t used,
                                T weight, TileView<const T> e, TileView<T> g) {
  Vector<T> terms[lanes<T>]{};
  for (std::int64_t p = 0; p < used; ++p) {
    const T* const a = e.data + pairs.first[begin + p] * e.stride;
    const T* const b = e.data + pairs.second[begin + p] * e.stride;
    for (std::int64_t k = 0; k < row.width; k += lanes<T>) {
      const Vector<T> term = weighted_feature<distance, T>(row.at(a, k), row.at(b, k)).term;
      terms[p] += load(merge.parameters + k) * term;
    }
  }
  Vector<T> value = sum_lanes(terms);
  if constexpr (has_offset(distance)) value += merge.parameters[row.width];
  const Costs<T> costs =
      masked_criterion<T>(loss, value, load_first(pairs.targets + begin, used), used);
  const Vector<T> slope = weight * costs.by_distance;
  if constexpr (has_offset(distance)) {
    merge.gradient[row.width] += static_cast<T>(sum_of_lanes<T>(only_lanes<T>(slope, 0, used)));
  }
  for (std::int64_t p = 0; p < used; ++p) {
    const std::int64_t i = pairs.first[begin + p];
    const std::int64_t j = pairs.second[begin + p];
    if (i == j) continue;  // all its terms are 0
    for (std::int64_t k = 0; k < row.width; k += lanes<T>) {
      const Feature<T> feature = weighted_feature<distance, T>(row.at(e.data + i * e.stride, k),
                                                               row.at(e.data + j * e.stride, k));
      const Vector<T> step = slope[p] * load(merge.parameters + k);
      T* const g_i = g.data + i * g.stride + k;
      T* const g_j = g.data + j * g.stride + k;
      store(g_i, load(g_i) + step * feature.by_a);
      store(g_j, load(g_j) + step * feature.by_b);
      store(merge.gradient + k, load(merge.gradient + k) + slope[p] * feature.term);
    }
  }
  return costs.value;
}

template <class T>
double pair_loss(const Loss& loss, std::int64_t width, PairRows<T> pairs, T weight,
                 TileView<const T> e, TileView<T> g, Merge<T> merge) {
  const RowVectors<T> row{width};
  double total = 0.0;
  constexpr std::int64_t vectors_per_sum = 16;  // as many costs are summed in T, the rest in double
  const auto run = [&](auto some_pairs) {
    for (std::int64_t begin = 0; begin < pairs.count;) {
      Vector<T> sum{};
      for (int i = 0; i < vectors_per_sum && begin < pairs.count; ++i, begin += lanes<T>) {
        const std::int64_t left = pairs.count - begin;
        sum += some_pairs(loss, row, pairs, begin, left < lanes<T> ? left : lanes<T>, weight, e, g);
      }
      total += sum_of_lanes<T>(sum);
    }
  };
  switch (loss.distance) {
    case Distance::sqeuclidean:
      run(difference_pairs<Distance::sqeuclidean, T>);
      break;
    case Distance::euclidean:
      run(difference_pairs<Distance::euclidean, T>);
      break;
    case Distance::manhattan:
      run(difference_pairs<Distance::manhattan, T>);
      break;
    case Distance::cosine:
      run(cosine_pairs<T>);
      break;
    case Distance::chi_square:
      run([&merge](const auto&... args) {
        return weighted_pairs<Distance::chi_square, T>(merge, args...);
      });
      break;
    case Distance::weighted_l1:
      run([&merge](const auto&... args) {
        return weighted_pairs<Distance::weighted_l1, T>(merge, args...);
      });
      break;
  }
  return total;
}

}  // namespace
}  // namespace siamese
