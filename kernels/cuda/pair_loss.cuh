#pragma once

#include <cstdint>
#include <limits>

#include "kernels/cuda/index.cuh"
#include "kernels/ops.h"
#include "model/loss.h"
#include "model/pairs.h"

namespace siamese::cuda {

/// -1, 0 or 1; NaN stays NaN.
template <class T>
__device__ T sign(T value) {
  return fabs(value) > T(0) ? copysign(T(1), value) : value;
}

/// A square root, and one over it: a finite number where the root is 0, to multiply zeros by.
template <class T>
struct Root {
  T value;
  T inverse;
};

__device__ inline Root<double> root(double x) {
  const double value = sqrt(x);
  return {value, value == 0.0 ? 0.0 : 1.0 / value};
}

/// In float32 without the branches of sqrt() and of a division: the special function unit's
/// inverse, within 2^-22.9, and a Newton step from there, which rounds as sqrt() does from 2^-100
/// on. Below the normal numbers both are too small; of infinity the root is NaN.
__device__ inline Root<float> root(float x) {
  float inverse;
  asm("rsqrt.approx.ftz.f32 %0, %1;"
      : "=f"(inverse)
      : "f"(fmaxf(x, std::numeric_limits<float>::min())));
  const float near = x * inverse;
  return {fmaf(fmaf(-near, near, x), 0.5F * inverse, near), inverse};
}

/// Sum over a group of `lanes` (a power of two) neighbours in a warp, in every lane of the group,
/// in the same order each time. All lanes of the warp take part.
template <class T>
__device__ T group_sum(T value, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(full_warp, value, offset);
  }
  return value;
}

/// The parameters of a distance: w [width], then c. Of a distance that has none nothing is read.
template <Distance distance, class T>
class Merge {
 public:
  __device__ Merge(const T* parameters, std::int64_t width)
      : parameters_(parameters), width_(width) {}

  __device__ T weight(std::int64_t k) const {
    if constexpr (has_weights(distance)) return parameters_[k];
    return T(1);
  }
  __device__ T offset() const {
    if constexpr (has_offset(distance)) return parameters_[width_];
    return T(0);
  }

 private:
  const T* parameters_;
  std::int64_t width_;
};

/// D(a, b) with its derivatives, in steps that fit any layout: add() takes one component of a and b
/// with its weight; where the components lie spread over the lanes of a group, group_sum() joins
/// them; finish() gives D, from the offset; then by_a() and by_b() give the derivative by one
/// component of a and of b; after scale(), times a number, which costs less than to multiply each.
/// This is the difference-based family; differences are formed directly, so D(a, a) is exactly 0.
template <Distance distance, class T>
class PairDistance {
 public:
  __device__ void add(T a, T b, T /*weight*/ = T(1)) {
    const T difference = a - b;
    sum_ += distance == Distance::manhattan ? fabs(difference) : difference * difference;
  }
  __device__ void group_sum(int lanes) { sum_ = cuda::group_sum(sum_, lanes); }

  __device__ T finish(T /*offset*/ = T(0)) {
    if constexpr (distance != Distance::euclidean) return sum_;
    const auto [value, inverse] = root(sum_);
    factor_ = inverse;
    return value;
  }
  __device__ void scale(T factor) { factor_ *= factor; }

  __device__ T by_a(T a, T b, T /*weight*/ = T(1)) const {
    const T difference = a - b;
    return factor_ * (distance == Distance::manhattan ? sign(difference) : difference);
  }
  __device__ T by_b(T a, T b, T /*weight*/ = T(1)) const { return -by_a(a, b); }

 private:
  T sum_ = T(0);
  T factor_ = distance == Distance::sqeuclidean ? T(2) : T(1);  // 1 / D of euclidean
};

/// Cosine: s = a.b / (|a| |b|), D = 1 - s; dD/da = s a / |a|^2 - b / (|a| |b|).
template <class T>
class PairDistance<Distance::cosine, T> {
 public:
  __device__ void add(T a, T b, T /*weight*/ = T(1)) {
    ab_ += a * b;
    aa_ += a * a;
    bb_ += b * b;
  }
  __device__ void group_sum(int lanes) {
    ab_ = cuda::group_sum(ab_, lanes);
    aa_ = cuda::group_sum(aa_, lanes);
    bb_ = cuda::group_sum(bb_, lanes);
  }

  __device__ T finish(T /*offset*/ = T(0)) {
    // Where a norm is 0 so are the similarity and both derivatives.
    factor_a_ = inverse_a_ = aa_ == T(0) ? T(0) : root(aa_).inverse;
    factor_b_ = inverse_b_ = bb_ == T(0) ? T(0) : root(bb_).inverse;
    similarity_ = ab_ * inverse_a_ * inverse_b_;
    return T(1) - similarity_;
  }
  __device__ void scale(T factor) {
    factor_a_ *= factor;
    factor_b_ *= factor;
  }

  __device__ T by_a(T a, T b, T /*weight*/ = T(1)) const {
    return factor_a_ * (similarity_ * (a * inverse_a_) - b * inverse_b_);
  }
  __device__ T by_b(T a, T b, T /*weight*/ = T(1)) const {
    return factor_b_ * (similarity_ * (b * inverse_b_) - a * inverse_a_);
  }

 private:
  T ab_ = T(0);
  T aa_ = T(0);
  T bb_ = T(0);
  T inverse_a_ = T(0);
  T inverse_b_ = T(0);
  T factor_a_ = T(0);  // before the parentheses of the derivatives
  T factor_b_ = T(0);
  T similarity_ = T(0);
};

/// The distances with weights: D = sum w_k term_k, perhaps with an offset c. The derivative by w_k
/// is term_k, that by c is 1.
template <Distance distance, class T>
requires(has_weights(distance)) class PairDistance<distance, T> {
 public:
  static __device__ T term(T a, T b) {
    if constexpr (distance == Distance::weighted_l1) return fabs(a - b);
    return ratio(a, b) * (a - b);
  }

  __device__ void add(T a, T b, T weight) { sum_ += weight * term(a, b); }
  __device__ void group_sum(int lanes) { sum_ = cuda::group_sum(sum_, lanes); }
  __device__ T finish(T offset) const { return sum_ + offset; }

  __device__ T by_a(T a, T b, T weight) const {
    if constexpr (distance == Distance::weighted_l1) return weight * sign(a - b);
    const T r = ratio(a, b);
    return weight * r * (T(2) - r);
  }
  __device__ T by_b(T a, T b, T weight) const {
    if constexpr (distance == Distance::weighted_l1) return -by_a(a, b, weight);
    const T r = ratio(a, b);
    return -weight * r * (T(2) + r);
  }

 private:
  /// r = (a - b) / (a + b) of chi_square, whose derivatives are (a - b) (a + 3 b) / (a + b)^2 =
  /// r (2 - r), and by b -r (2 + r).
  static __device__ T ratio(T a, T b) {
    const T difference = a - b;
    return difference == T(0) ? T(0) : difference / (a + b);
  }

  T sum_ = T(0);
};

/// What distance D costs against target t, with the derivative by D.
template <class T>
struct Cost {
  T value;
  T derivative;
};

template <Criterion criterion, class T>
__device__ Cost<T> cost(T constant, T d, T t) {
  const T e = d - t;
  if constexpr (criterion == Criterion::absolute) {
    return {fabs(e), sign(e)};
  } else if constexpr (criterion == Criterion::squared) {
    return {e * e, T(2) * e};
  } else if constexpr (criterion == Criterion::huber) {
    if (fabs(e) <= constant) return {T(0.5) * e * e, e};
    return {constant * (fabs(e) - T(0.5) * constant), constant * sign(e)};
  } else if constexpr (criterion == Criterion::contrastive) {
    const T gap = constant - d;
    const T hinge = gap < T(0) ? T(0) : gap;  // a NaN passes through
    return {T(0.5) * ((T(1) - t) * d * d + t * hinge * hinge), (T(1) - t) * d - t * hinge};
  } else {
    static_assert(criterion == Criterion::logistic);
    const T small = exp(-fabs(d));
    const T far = T(1) / (T(1) + small);  // sigmoid(|D|)
    const T near = small * far;           // sigmoid(-|D|)
    if (d > T(0)) {
      return {log1p(small) + (T(1) - t) * d, (T(1) - t) * far - t * near};
    }
    return {log1p(small) - t * d, (T(1) - t) * near - t * far};
  }
}

template <class T>
__device__ Cost<T> cost(const Loss& loss, T d, T t) {
  const T constant = static_cast<T>(loss.constant);
  switch (loss.criterion) {
    case Criterion::absolute:
      return cost<Criterion::absolute>(constant, d, t);
    case Criterion::squared:
      return cost<Criterion::squared>(constant, d, t);
    case Criterion::huber:
      return cost<Criterion::huber>(constant, d, t);
    case Criterion::contrastive:
      return cost<Criterion::contrastive>(constant, d, t);
    case Criterion::logistic:
      return cost<Criterion::logistic>(constant, d, t);
  }
  return {T(0), T(0)};
}

/// The points of pair p of a dense or an indexed batch.
template <class T>
__device__ PointPair points_of(const Pairs<T>& pairs, std::int64_t p) {
  if (pairs.form == PairForm::dense) return {p, pairs.count + p};
  return {pairs.first[p], pairs.second[p]};
}

/// The target of points i and j of an all-pairs batch: the Euclidean distance of their true
/// coordinates C [n, width].
template <class T>
__device__ T coordinate_distance(const T* coordinates, std::int64_t width, std::int64_t i,
                                 std::int64_t j) {
  T sum = T(0);
  for (std::int64_t k = 0; k < width; ++k) {
    const T difference = coordinates[i * width + k] - coordinates[j * width + k];
    sum += difference * difference;
  }
  return root(sum).value;
}

}  // namespace siamese::cuda
