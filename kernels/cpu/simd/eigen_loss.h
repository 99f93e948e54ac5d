#pragma once

#include <Eigen/Core>

#include "kernels/ops.h"

// The loss kernels of the eigen rung. Pairs are taken in blocks of a few hundred, gathered into
// matrices with a column per feature, so that Eigen's expressions run over pairs.

namespace siamese {
namespace {

template <class T>
using Block = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic>;  // [pairs, features], column-major
template <class T>
using Column = Eigen::Array<T, Eigen::Dynamic, 1>;
template <class T>
using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;
template <class T>
using RowMajor = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Eigen::Index pairs_per_block = 256;

/// -1, 0 or 1; NaN stays NaN.
template <class Expression>
auto sign_or_nan(const Expression& x) {
  using T = typename Expression::Scalar;
  return x.unaryExpr([](T v) { return v > T(0) ? T(1) : v < T(0) ? T(-1) : v; });
}

/// The costs of distances d against targets t; leaves their derivatives by d in `by_d`.
template <class T>
double criterion(const Loss& loss, const Column<T>& d, const Column<T>& t, Column<T>& by_d) {
  const T constant = static_cast<T>(loss.constant);
  const Column<T> e = d - t;
  Column<T> value;
  switch (loss.criterion) {
    case Criterion::absolute:
      value = e.abs();
      by_d = sign_or_nan(e);
      break;
    case Criterion::squared:
      value = e.square();
      by_d = T(2) * e;
      break;
    case Criterion::huber:
      value = (e.abs() <= constant)
                  .select(T(0.5) * e.square(), constant * (e.abs() - T(0.5) * constant));
      by_d = (e.abs() <= constant).select(e, constant * sign_or_nan(e));
      break;
    case Criterion::contrastive: {
      const Column<T> hinge = (d > constant).select(T(0), constant - d);
      value = T(0.5) * ((T(1) - t) * d.square() + t * hinge.square());
      by_d = (T(1) - t) * d - t * hinge;
      break;
    }
    case Criterion::logistic: {
      const Column<T> far = (T(1) + (-d.abs()).exp()).inverse();  // sigmoid(|D|)
      const Column<T> near = (-d.abs()).exp() * far;              // sigmoid(-|D|)
      value = (-d.abs()).exp().log1p() + (d > T(0)).select((T(1) - t) * d, -t * d);
      by_d = (d > T(0)).select((T(1) - t) * far - t * near, (T(1) - t) * near - t * far);
      break;
    }
  }
  return value.template cast<double>().sum();
}

/// The merge's parameters and the gradient by them, to which blocks of pairs add.
template <class T>
struct MergeRows {
  Eigen::Map<const Row<T>> parameters;
  Eigen::Map<Row<T>> gradient;

  /// Of a loss's arguments.
  template <class Args>
  explicit MergeRows(const Args& args)
      : parameters(args.merge, merge_parameters(args.loss.distance, args.width)),
        gradient(args.merge_gradient, parameters.size()) {
    gradient.setZero();
  }
};

/// Embeddings a and b [r, d] of r pairs, their targets, and the loss's gradients by both.
template <class T>
struct PairBlock {
  Block<T> a, b, by_a, by_b;
  Column<T> targets;

  PairBlock(Eigen::Index pairs, Eigen::Index width) : a(pairs, width), b(a), targets(pairs) {}

  /// The summed cost of the block; the gradients are those of `weight` times the cost.
  double run(const Loss& loss, T weight, MergeRows<T>& merge) {
    Column<T> by_d;
    by_a = a - b;
    switch (loss.distance) {
      case Distance::sqeuclidean: {
        const double sum = criterion<T>(loss, by_a.square().rowwise().sum(), targets, by_d);
        by_a.colwise() *= T(2) * weight * by_d;
        by_b = -by_a;
        return sum;
      }
      case Distance::euclidean: {
        const Column<T> d = by_a.square().rowwise().sum().sqrt();
        const double sum = criterion(loss, d, targets, by_d);
        by_a.colwise() *= (d == T(0)).select(T(0), weight * by_d / d);
        by_b = -by_a;
        return sum;
      }
      case Distance::manhattan: {
        const double sum = criterion<T>(loss, by_a.abs().rowwise().sum(), targets, by_d);
        by_a = sign_or_nan(by_a).eval();
        by_a.colwise() *= weight * by_d;
        by_b = -by_a;
        return sum;
      }
      case Distance::cosine: {
        const Column<T> norm_a = a.square().rowwise().sum().sqrt();
        const Column<T> norm_b = b.square().rowwise().sum().sqrt();
        const auto undefined = norm_a == T(0) || norm_b == T(0);
        const Column<T> scale_a = undefined.select(T(0), norm_a.inverse());
        const Column<T> scale_b = undefined.select(T(0), norm_b.inverse());
        const Column<T> cosine = (a * b).rowwise().sum() * scale_a * scale_b;
        const double sum = criterion<T>(loss, T(1) - cosine, targets, by_d);
        by_d *= weight;
        by_a = a.colwise() * (by_d * cosine * scale_a.square()) -
               b.colwise() * (by_d * scale_a * scale_b);
        by_b = b.colwise() * (by_d * cosine * scale_b.square()) -
               a.colwise() * (by_d * scale_a * scale_b);
        return sum;
      }
      case Distance::chi_square: {
        // The derivatives by a, (a - b) (a + 3 b) / (a + b)^2, and by b, in terms of the ratio.
        const Block<T> ratio = (by_a == T(0)).select(T(0), by_a / (a + b));
        const Block<T> terms = ratio * by_a;
        const auto w = merge.parameters.array();
        const double sum = criterion<T>(loss, (terms.rowwise() * w).rowwise().sum(), targets, by_d);
        by_d *= weight;
        merge.gradient += by_d.matrix().transpose() * terms.matrix();
        by_a = (ratio * (T(2) - ratio)).rowwise() * w;
        by_b = (-ratio * (T(2) + ratio)).rowwise() * w;
        by_a.colwise() *= by_d;
        by_b.colwise() *= by_d;
        return sum;
      }
      case Distance::weighted_l1: {
        const Eigen::Index width = a.cols();
        const Block<T> terms = by_a.abs();
        const auto w = merge.parameters.head(width).array();
        const double sum = criterion<T>(
            loss, (terms.rowwise() * w).rowwise().sum() + merge.parameters(width), targets, by_d);
        by_d *= weight;
        merge.gradient.head(width) += by_d.matrix().transpose() * terms.matrix();
        merge.gradient(width) += by_d.sum();
        by_a = (sign_or_nan(by_a).rowwise() * w).eval();
        by_a.colwise() *= by_d;
        by_b = -by_a;
        return sum;
      }
    }
    return 0.0;
  }
};

template <class T>
T mean_weight(std::int64_t pairs) {
  return T(1) / static_cast<T>(pairs > 0 ? pairs : 1);
}

template <class T>
void distance_loss(const DistanceLossArgs<T>& args) {
  const Pairs<T>& pairs = args.pairs;
  const Eigen::Map<const RowMajor<T>> e(args.embeddings, args.points, args.width);
  Eigen::Map<RowMajor<T>> g(args.gradient, args.points, args.width);
  MergeRows<T> merge(args);
  const bool dense = pairs.form == PairForm::dense;
  const T weight = mean_weight<T>(pairs.count);
  g.setZero();
  double sum = 0.0;
  for (Eigen::Index begin = 0; begin < pairs.count; begin += pairs_per_block) {
    const Eigen::Index rows =
        begin + pairs_per_block < pairs.count ? pairs_per_block : pairs.count - begin;
    const auto first = [&](Eigen::Index r) { return dense ? begin + r : pairs.first[begin + r]; };
    const auto second = [&](Eigen::Index r) {
      return dense ? pairs.count + begin + r : pairs.second[begin + r];
    };
    PairBlock<T> block(rows, args.width);
    for (Eigen::Index r = 0; r < rows; ++r) {
      block.a.row(r) = e.row(first(r)).array();
      block.b.row(r) = e.row(second(r)).array();
    }
    block.targets = Eigen::Map<const Column<T>>(pairs.targets + begin, rows);
    sum += block.run(args.loss, weight, merge);
    for (Eigen::Index r = 0; r < rows; ++r) {
      if (first(r) == second(r)) continue;
      g.row(first(r)).array() += block.by_a.row(r);
      g.row(second(r)).array() += block.by_b.row(r);
    }
  }
  *args.loss_value = sum / static_cast<double>(pairs.count > 0 ? pairs.count : 1);
}

template <class T>
void all_pairs_loss(const AllPairsLossArgs<T>& args) {
  const Eigen::Index n = args.points;
  // A column per feature here too: a block of pairs (i, j .. j + rows - 1) is then contiguous.
  const Block<T> e = Eigen::Map<const RowMajor<T>>(args.embeddings, n, args.width).array();
  const Block<T> c =
      Eigen::Map<const RowMajor<T>>(args.coordinates, n, args.coordinate_width).array();
  Block<T> g = Block<T>::Zero(n, args.width);
  MergeRows<T> merge(args);
  const T weight = mean_weight<T>(n * (n - 1) / 2);
  double sum = 0.0;
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = i + 1; j < n; j += pairs_per_block) {
      const Eigen::Index rows = j + pairs_per_block < n ? pairs_per_block : n - j;
      PairBlock<T> block(rows, args.width);
      block.a = e.row(i).replicate(rows, 1);
      block.b = e.middleRows(j, rows);
      block.targets = (c.middleRows(j, rows).rowwise() - c.row(i)).square().rowwise().sum().sqrt();
      sum += block.run(args.loss, weight, merge);
      g.row(i) += block.by_a.colwise().sum();
      g.middleRows(j, rows) += block.by_b;
    }
  }
  Eigen::Map<RowMajor<T>>(args.gradient, n, args.width) = g.matrix();
  *args.loss_value =
      n > 1 ? sum / (0.5 * static_cast<double>(n) * static_cast<double>(n - 1)) : 0.0;
}

}  // namespace
}  // namespace siamese
