#pragma once

#include "kernels/cpu/simd/criterion.h"
#include "kernels/cpu/simd/pair_loss.h"
#include "kernels/cpu/simd/tiled.h"

// Loss and gradient of all pairs of points. Points lie feature-major, so that a vector holds the
// same feature of neighbouring points j; one point i meets a chunk of them at a time: first all
// their distances, targets and slopes, then, feature by feature, the gradients of both sides. Each
// pair is computed once. A chunk's embeddings, coordinates and gradients stay in the L1 cache while
// a block of points i goes by.

namespace siamese {
namespace {

constexpr std::int64_t chunk_points = 256;  // points j; 30 KiB for 10 features and coordinates
constexpr std::int64_t block_points = 16;   // points i

/// Pairs (i, begin .. end - 1) in vectors that start at multiples of the lanes, with what the
/// gradient needs of each: of a difference its slope, of a cosine two slopes.
template <class T>
struct Slopes {
  alignas(64) T across[chunk_points];
  alignas(64) T along_j[chunk_points];
};

/// Sums over the features k of term(k, point i's, points j's), for `vectors` vectors of points from
/// j on: several at a time, so that one sum need not wait for another.
template <int vectors, class T, class Term>
inline void sum_features(FeatureMajor<const T> points, std::int64_t width, std::int64_t i,
                         std::int64_t j, Vector<T> (&sums)[vectors], const Term& term) {
  repeat<vectors>([&](auto v) { sums[v] = Vector<T>{}; });
  const T* feature = points.data;
  for (std::int64_t k = 0; k < width; ++k, feature += points.stride) {
    const Vector<T> of_i = broadcast(feature[i]);
    repeat<vectors>([&](auto v) { sums[v] += term(k, of_i, load(feature + j + v * lanes<T>)); });
  }
}

/// Pairs of point i with a chunk of points j.
struct ChunkPairs {
  std::int64_t i;
  std::int64_t origin;  ///< of the chunk
  std::int64_t begin;   ///< the pairs are (i, begin .. end - 1)
  std::int64_t end;
};

/// The slopes of `vectors` vectors of pairs from (i, j) on. Adds their costs, and to slope_sum what
/// a cosine's gradient has of E_i itself, or the gradient by an offset.
template <int vectors, Distance distance, class T>
inline void find_slopes(const AllPairsTask<T>& task, const ChunkPairs& pairs, std::int64_t j,
                        Slopes<T>& slopes, Vector<T>& costs_sum, Vector<T>& slope_sum) {
  using D = DifferenceDistance<distance, T>;
  Vector<T> values[vectors];
  Vector<T> squared_targets[vectors];
  sum_features(task.embeddings, task.width, pairs.i, j, values,
               [&](std::int64_t k, Vector<T> a, Vector<T> b) {
                 if constexpr (distance == Distance::cosine) return a * b;
                 if constexpr (has_weights(distance)) {
                   return task.merge.parameters[k] * weighted_feature<distance, T>(a, b).term;
                 }
                 return D::term(a - b);
               });
  sum_features(task.coordinates, task.coordinate_width, pairs.i, j, squared_targets,
               [](std::int64_t, Vector<T> a, Vector<T> b) { return (a - b) * (a - b); });
  repeat<vectors>([&](auto v) {
    const std::int64_t at = j + v * lanes<T>;
    const Vector<T> target = square_root<T>(squared_targets[v]);
    const bool whole = at >= pairs.begin && at + lanes<T> <= pairs.end;
    const auto masked = [&](Vector<T> x) {
      return whole ? x : only_lanes<T>(x, pairs.begin - at, pairs.end - at);
    };
    if constexpr (distance == Distance::cosine) {
      const T i_inverse = task.inverse_norms[pairs.i];
      const Vector<T> j_inverse = load(task.inverse_norms + at);
      const Vector<T> cosine = values[v] * i_inverse * j_inverse;
      const Costs<T> costs = criterion<T>(task.loss, T(1) - cosine, target);
      const Vector<T> slope = masked(task.weight * costs.by_distance);
      costs_sum += masked(costs.value);
      store(slopes.across + (at - pairs.origin), -slope * i_inverse * j_inverse);
      store(slopes.along_j + (at - pairs.origin), slope * cosine * j_inverse * j_inverse);
      slope_sum += slope * cosine * i_inverse * i_inverse;
    } else if constexpr (has_weights(distance)) {
      Vector<T> value = values[v];
      if constexpr (has_offset(distance)) value += task.merge.parameters[task.width];
      const Costs<T> costs = criterion<T>(task.loss, value, target);
      const Vector<T> slope = masked(task.weight * costs.by_distance);
      costs_sum += masked(costs.value);
      store(slopes.across + (at - pairs.origin), slope);
      if constexpr (has_offset(distance)) slope_sum += slope;
    } else {
      const Vector<T> value = D::value(values[v]);
      const Costs<T> costs = criterion<T>(task.loss, value, target);
      costs_sum += masked(costs.value);
      store(slopes.across + (at - pairs.origin),
            masked(task.weight * D::slope(value, costs.by_distance)));
    }
  });
}

/// Adds the pairs, in vectors from first_vector on, to `features` features of the gradients of
/// points j, k the first; sets g_i to what point i has of them, a lane of points j each. Features
/// together, so that one's sum need not wait for its own last addition.
template <Distance distance, int features, class T>
inline void feature_gradients(const AllPairsTask<T>& task, const ChunkPairs& pairs,
                              std::int64_t first_vector, const Slopes<T>& slopes, std::int64_t k,
                              T* g, Vector<T>* g_i) {
  const std::int64_t stride = task.embeddings.stride;
  const T* const e_j = task.embeddings.data + k * stride + first_vector;
  T* const g_j = g + k * stride + first_vector;
  const T* const across_j = slopes.across + (first_vector - pairs.origin);
  const T* const along_j = slopes.along_j + (first_vector - pairs.origin);
  Vector<T> e_i[features];
  Vector<T> sums[features]{};
  repeat<features>([&](auto f) { e_i[f] = broadcast(e_j[f * stride + pairs.i - first_vector]); });
  const std::int64_t count = pairs.end - first_vector;
  for (std::int64_t p = 0; p < count; p += lanes<T>) {
    const Vector<T> across = load(across_j + p);
    repeat<features>([&](auto f) {
      const Vector<T> e = load(e_j + f * stride + p);
      T* const at = g_j + f * stride + p;
      if constexpr (distance == Distance::cosine) {
        sums[f] += across * e;
        store(at, load(at) + (across * e_i[f] + load(along_j + p) * e));
      } else {
        const Vector<T> direction = DifferenceDistance<distance, T>::direction(e_i[f] - e);
        sums[f] += across * direction;
        store(at, load(at) - across * direction);
      }
    });
  }
  repeat<features>([&](auto f) { g_i[f] = sums[f]; });
}

/// The same of a distance with weights; adds to g_w what the feature's weight has of them.
template <Distance distance, class T>
inline Vector<T> weighted_feature_gradient(const AllPairsTask<T>& task, const ChunkPairs& pairs,
                                           std::int64_t first_vector, const Slopes<T>& slopes,
                                           std::int64_t k, T* g, Vector<T>& g_w) {
  const T* const e_j = task.embeddings.data + k * task.embeddings.stride + first_vector;
  T* const g_j = g + k * task.embeddings.stride + first_vector;
  const T* const across = slopes.across + (first_vector - pairs.origin);
  const Vector<T> e_i = broadcast(e_j[pairs.i - first_vector]);
  const T w = task.merge.parameters[k];
  const std::int64_t count = pairs.end - first_vector;
  Vector<T> g_i{};
  for (std::int64_t p = 0; p < count; p += lanes<T>) {
    const Feature<T> feature = weighted_feature<distance, T>(e_i, load(e_j + p));
    const Vector<T> slope = load(across + p);
    g_i += slope * w * feature.by_a;
    g_w += slope * feature.term;
    store(g_j + p, load(g_j + p) + slope * w * feature.by_b);
  }
  return g_i;
}

/// Adds the pairs to the gradients; returns their costs.
template <Distance distance, class T>
[[gnu::flatten]] inline double point_against_chunk(const AllPairsTask<T>& task,
                                                   const ChunkPairs& pairs, T* g) {
  Slopes<T> slopes;
  Vector<T> costs_sum{};
  Vector<T> slope_sum_lanes{};
  const std::int64_t first_vector =
      pairs.origin + (pairs.begin - pairs.origin) / lanes<T> * lanes<T>;
  // Several vectors of points j together, so that one's sum need not wait for another's.
  constexpr int together = 4;
  std::int64_t j = first_vector;
  for (; j + (together - 1) * lanes<T> < pairs.end; j += together * lanes<T>) {
    find_slopes<together, distance>(task, pairs, j, slopes, costs_sum, slope_sum_lanes);
  }
  for (; j < pairs.end; j += lanes<T>) {
    find_slopes<1, distance>(task, pairs, j, slopes, costs_sum, slope_sum_lanes);
  }
  const T along_i =
      distance == Distance::cosine ? static_cast<T>(sum_of_lanes<T>(slope_sum_lanes)) : T(0);
  if constexpr (has_offset(distance)) {
    task.merge.gradient[task.width] += static_cast<T>(sum_of_lanes<T>(slope_sum_lanes));
  }

  const std::int64_t stride = task.embeddings.stride;
  for (std::int64_t first = 0; first < task.width; first += lanes<T>) {
    const std::int64_t features = task.width - first < lanes<T> ? task.width - first : lanes<T>;
    Vector<T> g_i[lanes<T>];
    if constexpr (has_weights(distance)) {
      Vector<T> g_w[lanes<T>]{};
      for (std::int64_t k = 0; k < features; ++k) {
        g_i[k] = weighted_feature_gradient<distance>(task, pairs, first_vector, slopes, first + k,
                                                     g, g_w[k]);
      }
      const Vector<T> w_sums = sum_lanes<lanes<T>>(g_w);
      for (std::int64_t k = 0; k < features; ++k) task.merge.gradient[first + k] += w_sums[k];
    } else {
      std::int64_t k = 0;
      for (; k + 2 <= features; k += 2) {
        feature_gradients<distance, 2>(task, pairs, first_vector, slopes, first + k, g, g_i + k);
      }
      if (k < features) {
        feature_gradients<distance, 1>(task, pairs, first_vector, slopes, first + k, g, g_i + k);
      }
    }
    for (std::int64_t k = features; k < lanes<T>; ++k) g_i[k] = Vector<T>{};
    const Vector<T> sums = sum_lanes<lanes<T>>(g_i);
    for (std::int64_t k = 0; k < features; ++k) {
      const std::int64_t at = (first + k) * stride + pairs.i;
      g[at] += sums[k] + along_i * task.embeddings.data[at];
    }
  }
  return sum_of_lanes<T>(costs_sum);
}

template <Distance distance, class T>
inline double all_pairs_of(const AllPairsTask<T>& task, std::int64_t begin, std::int64_t end,
                           T* g) {
  double total = 0.0;
  for (std::int64_t block = begin; block < end; block += block_points) {
    const std::int64_t block_end = block + block_points < end ? block + block_points : end;
    for (std::int64_t origin = block / chunk_points * chunk_points; origin < task.points;
         origin += chunk_points) {
      const std::int64_t chunk_end =
          origin + chunk_points < task.points ? origin + chunk_points : task.points;
      for (std::int64_t i = block; i < block_end; ++i) {
        const std::int64_t first = i + 1 > origin ? i + 1 : origin;
        if (first < chunk_end) {
          total += point_against_chunk<distance, T>(task, {i, origin, first, chunk_end}, g);
        }
      }
    }
  }
  return total;
}

template <class T>
double all_pairs_loss(const AllPairsTask<T>& task, std::int64_t begin, std::int64_t end, T* g) {
  switch (task.loss.distance) {
    case Distance::sqeuclidean:
      return all_pairs_of<Distance::sqeuclidean>(task, begin, end, g);
    case Distance::euclidean:
      return all_pairs_of<Distance::euclidean>(task, begin, end, g);
    case Distance::manhattan:
      return all_pairs_of<Distance::manhattan>(task, begin, end, g);
    case Distance::cosine:
      return all_pairs_of<Distance::cosine>(task, begin, end, g);
    case Distance::chi_square:
      return all_pairs_of<Distance::chi_square>(task, begin, end, g);
    case Distance::weighted_l1:
      return all_pairs_of<Distance::weighted_l1>(task, begin, end, g);
  }
  __builtin_unreachable();
}

/// Feature k of `count` points, lane by lane; and 1 / norm of each point where asked for.
template <class T>
void to_feature_major(std::int64_t count, std::int64_t width, const T* points, std::int64_t stride,
                      FeatureMajor<T> to, T* inverse_norms) {
  for (std::int64_t j = 0; j < count; ++j) {
    T square = T(0);
    for (std::int64_t k = 0; k < width; ++k) {
      const T value = points[j * stride + k];
      to.data[k * to.stride + j] = value;
      square += value * value;
    }
    if (inverse_norms != nullptr) inverse_norms[j] = inverse_norm<T>(broadcast(square))[0];
  }
}

}  // namespace
}  // namespace siamese
