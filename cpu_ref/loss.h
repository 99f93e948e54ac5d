#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "cpu_ref/forward.h"
#include "cpu_ref/matrix.h"
#include "model/error.h"
#include "model/loss.h"
#include "model/pairs.h"

namespace siamese::ref {

/// -1, 0 or 1; NaN stays NaN.
template <class T>
T sign(T value) {
  if (std::isnan(value)) return value;
  return static_cast<T>(value > T(0)) - static_cast<T>(value < T(0));
}

/// D of embeddings a and b [d], with dD/da and dD/db, and its derivative by the merge's parameters.
template <class T>
struct DistanceValue {
  T value;
  RowVector<T> by_a;
  RowVector<T> by_b;
  RowVector<T> by_merge = {};
};

template <class T>
DistanceValue<T> chi_square(const RowVector<T>& a, const RowVector<T>& b, const RowVector<T>& w) {
  const RowVector<T> zero = RowVector<T>::Zero(a.size());
  DistanceValue<T> d{T(0), zero, zero, zero};
  for (Eigen::Index k = 0; k < a.size(); ++k) {
    if (a(k) == b(k)) continue;
    const T ratio = (a(k) - b(k)) / (a(k) + b(k));
    d.value += w(k) * ratio * (a(k) - b(k));
    d.by_a(k) = w(k) * ratio * (a(k) + T(3) * b(k)) / (a(k) + b(k));
    d.by_b(k) = -w(k) * ratio * (T(3) * a(k) + b(k)) / (a(k) + b(k));
    d.by_merge(k) = ratio * (a(k) - b(k));
  }
  return d;
}

/// `merge` [merge_parameters(distance, d)]: w, then c.
template <class T>
DistanceValue<T> distance(Distance distance, const RowVector<T>& a, const RowVector<T>& b,
                          std::span<const T> merge = {}) {
  const RowVector<T> difference = a - b;
  switch (distance) {
    case Distance::sqeuclidean:
      return {difference.squaredNorm(), T(2) * difference, T(-2) * difference};
    case Distance::euclidean: {
      const T d = std::sqrt(difference.squaredNorm());
      const T inverse = d == T(0) ? T(0) : T(1) / d;
      return {d, inverse * difference, -inverse * difference};
    }
    case Distance::manhattan: {
      const RowVector<T> signs = difference.unaryExpr([](T v) { return sign(v); });
      return {difference.cwiseAbs().sum(), signs, -signs};
    }
    case Distance::cosine: {
      const T norm_a = std::sqrt(a.squaredNorm());
      const T norm_b = std::sqrt(b.squaredNorm());
      if (norm_a == T(0) || norm_b == T(0)) {
        const RowVector<T> zero = RowVector<T>::Zero(a.size());
        return {T(1), zero, zero};
      }
      const RowVector<T> unit_a = a / norm_a;
      const RowVector<T> unit_b = b / norm_b;
      const T similarity = unit_a.dot(unit_b);
      return {T(1) - similarity, (similarity * unit_a - unit_b) / norm_a,
              (similarity * unit_b - unit_a) / norm_b};
    }
    case Distance::chi_square:
      return chi_square<T>(a, b, Eigen::Map<const RowVector<T>>(merge.data(), a.size()));
    case Distance::weighted_l1: {
      const Eigen::Map<const RowVector<T>> w(merge.data(), a.size());
      const RowVector<T> by_a = w.cwiseProduct(difference.unaryExpr([](T v) { return sign(v); }));
      RowVector<T> by_merge(a.size() + 1);
      by_merge << difference.cwiseAbs(), T(1);
      return {w.dot(difference.cwiseAbs()) + merge.back(), by_a, -by_a, by_merge};
    }
  }
  throw UsageError("unknown distance");
}

/// log(1 + exp(x)), exp never of a positive number.
template <class T>
T softplus(T x) {
  return (x < T(0) ? T(0) : x) + std::log1p(std::exp(-std::abs(x)));
}

/// The cost of distance D against target t, with its derivative by D.
template <class T>
struct CriterionValue {
  T value;
  T derivative;
};

template <class T>
CriterionValue<T> criterion(const Loss& loss, T d, T t) {
  const T e = d - t;
  const T constant = static_cast<T>(loss.constant);
  switch (loss.criterion) {
    case Criterion::absolute:
      return {std::abs(e), sign(e)};
    case Criterion::squared:
      return {e * e, T(2) * e};
    case Criterion::huber:
      if (std::abs(e) <= constant) return {T(0.5) * e * e, e};
      return {constant * (std::abs(e) - T(0.5) * constant), constant * sign(e)};
    case Criterion::contrastive: {
      const T gap = constant - d;
      const T hinge = gap < T(0) ? T(0) : gap;  // a NaN passes through
      return {T(0.5) * ((T(1) - t) * d * d + t * hinge * hinge), (T(1) - t) * d - t * hinge};
    }
    case Criterion::logistic:
      return {
          t * softplus(-d) + (T(1) - t) * softplus(d),
          (T(1) - t) * activate(Activation::sigmoid, d) - t * activate(Activation::sigmoid, -d)};
  }
  throw UsageError("unknown criterion");
}

/// The mean loss of a batch, G = dLoss/dE [n, d], and the gradient by the merge's parameters.
template <class T>
struct LossValue {
  T value;
  RowMatrix<T> gradient;
  RowVector<T> merge_gradient = {};
};

/// The dense form as a list: pair p is the points (p, m + p) of n = 2m.
inline PairList dense_pairs(std::int64_t pairs) {
  PairList list;
  for (std::int64_t p = 0; p < pairs; ++p) {
    list.first.push_back(static_cast<PointIndex>(p));
    list.second.push_back(static_cast<PointIndex>(pairs + p));
  }
  return list;
}

/// Throws UsageError unless there is one target per pair: never a broadcast.
template <class T>
void check_targets(const PairList& pairs, std::span<const T> targets) {
  if (static_cast<std::int64_t>(targets.size()) != pairs.size()) {
    throw UsageError(fmt::format("loss: {} targets for {} pairs; expected one target per pair",
                                 targets.size(), pairs.size()));
  }
}

/// Throws UsageError unless the merge has its parameters.
template <class T>
void check_merge(const Loss& loss, const RowMatrix<T>& e, std::span<const T> merge) {
  const std::int64_t expected = merge_parameters(loss.distance, e.cols());
  if (static_cast<std::int64_t>(merge.size()) != expected) {
    throw UsageError(fmt::format("loss '{}': {} parameters of the merge; expected {} for width {}",
                                 name(loss), merge.size(), expected, e.cols()));
  }
}

/// Mean over listed pairs of criterion(D(E_i, E_j), t). A pair (i, i) has a loss and no gradient by
/// E_i, for its two halves cancel. No pairs: loss 0, gradients 0.
template <class T>
LossValue<T> pair_loss(const Loss& loss, const RowMatrix<T>& e, const PairList& pairs,
                       std::span<const T> targets, std::span<const T> merge = {}) {
  check_pairs(pairs, e.rows());
  check_targets(pairs, targets);
  check_merge(loss, e, merge);
  LossValue<T> total{T(0), RowMatrix<T>::Zero(e.rows(), e.cols()),
                     RowVector<T>::Zero(static_cast<Eigen::Index>(merge.size()))};
  const T weight = T(1) / static_cast<T>(std::max<std::int64_t>(pairs.size(), 1));
  for (std::size_t p = 0; p < targets.size(); ++p) {
    const Eigen::Index i = pairs.first[p];
    const Eigen::Index j = pairs.second[p];
    const DistanceValue<T> d = distance<T>(loss.distance, e.row(i), e.row(j), merge);
    const CriterionValue<T> c = criterion<T>(loss, d.value, targets[p]);
    total.value += weight * c.value;
    total.merge_gradient += weight * c.derivative * d.by_merge;
    if (i == j) continue;
    total.gradient.row(i) += weight * c.derivative * d.by_a;
    total.gradient.row(j) += weight * c.derivative * d.by_b;
  }
  return total;
}

/// What the pairs of one point i with all others add up to, before the division by the number of
/// pairs: the sum of their costs, and that sum's gradients by E_i and by the merge's parameters.
template <class T>
struct PointLoss {
  T value;
  RowVector<T> gradient;
  RowVector<T> merge_gradient;
};

template <class T>
PointLoss<T> point_loss(const Loss& loss, const RowMatrix<T>& e, const RowMatrix<T>& c,
                        std::span<const T> merge, Eigen::Index i) {
  PointLoss<T> sum{T(0), RowVector<T>::Zero(e.cols()),
                   RowVector<T>::Zero(static_cast<Eigen::Index>(merge.size()))};
  for (Eigen::Index j = 0; j < e.rows(); ++j) {
    if (j == i) continue;
    const DistanceValue<T> d = distance<T>(loss.distance, e.row(i), e.row(j), merge);
    const CriterionValue<T> cost = criterion<T>(loss, d.value, (c.row(i) - c.row(j)).norm());
    sum.value += cost.value;
    sum.gradient += cost.derivative * d.by_a;
    sum.merge_gradient += cost.derivative * d.by_merge;
  }
  return sum;
}

/// Mean over every i < j of criterion(D(E_i, E_j), |C_i - C_j|), true coordinates C [n, c]: half
/// the sum over points, each with all others, since every distance is symmetric.
template <class T>
LossValue<T> all_pairs_loss(const Loss& loss, const RowMatrix<T>& e, const RowMatrix<T>& c,
                            std::span<const T> merge = {}) {
  if (e.rows() != c.rows()) {
    throw UsageError(fmt::format("all-pairs loss: {} embeddings and {} points; expected as many",
                                 e.rows(), c.rows()));
  }
  const T weight = T(1) / static_cast<T>(std::max<std::int64_t>(all_pairs_count(e.rows()), 1));
  check_merge(loss, e, merge);
  LossValue<T> total{T(0), RowMatrix<T>(e.rows(), e.cols())};
  RowVector<T> values(e.rows());
  RowMatrix<T> by_merge(e.rows(), static_cast<Eigen::Index>(merge.size()));
#pragma omp parallel for schedule(static)
  for (Eigen::Index i = 0; i < e.rows(); ++i) {
    const PointLoss<T> point = point_loss(loss, e, c, merge, i);
    values(i) = point.value;
    total.gradient.row(i) = weight * point.gradient;
    by_merge.row(i) = point.merge_gradient;
  }
  total.value = weight * values.sum() / T(2);
  total.merge_gradient = weight * by_merge.colwise().sum() / T(2);
  return total;
}

/// The loss that the original script computes: its targets (m, 1) broadcast against its squared
/// distances (m,), so that it takes the mean of |D_p - t_q| over all m x m combinations of a
/// distance with a target, its own or another pair's.
template <class T>
LossValue<T> as_written_loss(const RowMatrix<T>& e, const PairList& pairs,
                             std::span<const T> targets) {
  check_pairs(pairs, e.rows());
  check_targets(pairs, targets);
  LossValue<T> total{T(0), RowMatrix<T>::Zero(e.rows(), e.cols())};
  const T m = static_cast<T>(std::max<std::int64_t>(pairs.size(), 1));
  for (std::size_t p = 0; p < targets.size(); ++p) {
    const Eigen::Index i = pairs.first[p];
    const Eigen::Index j = pairs.second[p];
    const DistanceValue<T> d = distance<T>(Distance::sqeuclidean, e.row(i), e.row(j));
    T derivative = T(0);
    for (const T t : targets) {
      total.value += std::abs(d.value - t) / (m * m);
      derivative += sign(d.value - t) / (m * m);
    }
    if (i == j) continue;
    total.gradient.row(i) += derivative * d.by_a;
    total.gradient.row(j) += derivative * d.by_b;
  }
  return total;
}

}  // namespace siamese::ref
