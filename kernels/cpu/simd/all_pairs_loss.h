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

template <class T>
inline Vector<T> squared_distance(FeatureMajor<const T> points, std::int64_t width, std::int64_t i,
                                  std::int64_t j) {
  Vector<T> sum{};
  for (std::int64_t k = 0; k < width; ++k) {
    const T* const feature = points.data + k * points.stride;
    const Vector<T> difference = feature[i] - load(feature + j);
    sum += difference * difference;
  }
  return sum;
}

/// Adds pairs (i, begin .. end - 1), all within the chunk at `origin`, to the gradients; returns
/// their costs.
template <Distance distance, class T>
inline double point_against_chunk(const AllPairsTask<T>& task, std::int64_t i, std::int64_t origin,
                                  std::int64_t begin, std::int64_t end, T* g) {
  const FeatureMajor<const T> e = task.embeddings;
  Slopes<T> slopes;
  Vector<T> costs_sum{};
  T along_i = T(0);  // cosine alone
  Vector<T> along_i_sum{};
  const std::int64_t first_vector = origin + (begin - origin) / lanes<T> * lanes<T>;
  for (std::int64_t j = first_vector; j < end; j += lanes<T>) {
    Vector<T> value{};
    for (std::int64_t k = 0; k < task.width; ++k) {
      const T* const feature = e.data + k * e.stride;
      if constexpr (distance == Distance::cosine) {
        value += feature[i] * load(feature + j);
      } else {
        value += DifferenceDistance<distance, T>::term(feature[i] - load(feature + j));
      }
    }
    const Vector<T> target =
        square_root<T>(squared_distance(task.coordinates, task.coordinate_width, i, j));
    const bool whole = j >= begin && j + lanes<T> <= end;
    const auto masked = [&](Vector<T> x) {
      return whole ? x : only_lanes<T>(x, begin - j, end - j);
    };

    if constexpr (distance == Distance::cosine) {
      const T i_inverse = task.inverse_norms[i];
      const Vector<T> j_inverse = load(task.inverse_norms + j);
      const Vector<T> cosine = value * i_inverse * j_inverse;
      const Costs<T> costs = criterion<T>(task.loss, T(1) - cosine, target);
      const Vector<T> slope = masked(task.weight * costs.by_distance);
      costs_sum += masked(costs.value);
      store(slopes.across + (j - origin), -slope * i_inverse * j_inverse);
      store(slopes.along_j + (j - origin), slope * cosine * j_inverse * j_inverse);
      along_i_sum += slope * cosine * i_inverse * i_inverse;
    } else {
      using D = DifferenceDistance<distance, T>;
      value = D::value(value);
      const Costs<T> costs = criterion<T>(task.loss, value, target);
      costs_sum += masked(costs.value);
      store(slopes.across + (j - origin), masked(task.weight * D::slope(value, costs.by_distance)));
    }
  }
  if constexpr (distance == Distance::cosine)
    along_i = static_cast<T>(sum_of_lanes<T>(along_i_sum));

  for (std::int64_t k = 0; k < task.width; ++k) {
    const T* const feature = e.data + k * e.stride;
    T* const g_feature = g + k * e.stride;
    const T e_i = feature[i];
    Vector<T> g_i{};
    for (std::int64_t j = first_vector; j < end; j += lanes<T>) {
      const Vector<T> across = load(slopes.across + (j - origin));
      const Vector<T> e_j = load(feature + j);
      const Vector<T> g_j = load(g_feature + j);
      if constexpr (distance == Distance::cosine) {
        g_i += across * e_j;
        store(g_feature + j, g_j + (across * e_i + load(slopes.along_j + (j - origin)) * e_j));
      } else {
        const Vector<T> step = across * DifferenceDistance<distance, T>::direction(e_i - e_j);
        g_i += step;
        store(g_feature + j, g_j - step);
      }
    }
    g_feature[i] += static_cast<T>(sum_of_lanes<T>(g_i)) + along_i * e_i;
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
          total += point_against_chunk<distance, T>(task, i, origin, first, chunk_end, g);
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
