#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/ops.h"
#include "model/error.h"

// What each op must do at least, whichever variant does it: the measure that percent of peak and
// the ratio to the floor are taken against. A variant that does its work twice shows half.
//
// Operations: additions, subtractions, multiplications, divisions and square roots count one each,
// so a multiply-add counts two; so do exponentials and logarithms. Signs, absolute values,
// comparisons and index arithmetic are free.
// Of the layers only the dense products count: biases and activations are below 1% of them.
// Bytes: every input read once and every output written once, in the scalar type in memory. What
// an op only hands to itself (the activations within a training step) need never leave the chip.

namespace siamese::bench {

struct Work {
  double operations = 0.0;
  double bytes = 0.0;
};

/// The least time for some work, seconds: whichever takes longer, its operations or its bytes.
inline double least_seconds(const Work& work, double operations_per_second,
                            double bytes_per_second) {
  return std::max(work.operations / operations_per_second, work.bytes / bytes_per_second);
}

/// Distance and its gradient into both points' rows, and by the distance's parameters, for one pair
/// of embeddings of `width` numbers.
inline double distance_operations(Distance distance, std::int64_t width) {
  const auto d = static_cast<double>(width);
  switch (distance) {
    case Distance::sqeuclidean:  // a-b, square, sum; scale the difference, add it to two rows
      return 6.0 * d;
    case Distance::euclidean:  // the same, a square root and a division
      return 6.0 * d + 2.0;
    case Distance::manhattan:  // a-b, sum; add the signed slope to two rows
      return 4.0 * d;
    case Distance::cosine:  // a.b, and two multiply-adds per element of each row; norms are a
                            // point's own. Two divisions by the norms and the subtraction from 1
      return 10.0 * d + 3.0;
    case Distance::chi_square:  // r = (a-b) / (a+b), r (a-b), weighted, sum; the slope weighted,
                                // times r, times 2-r and 2+r, into two rows; slope and term into
                                // w's
      return 16.0 * d;
    case Distance::weighted_l1:  // a-b, weighted, sum; the slope weighted, its sign's into two
                                 // rows; slope and term into w's. c, and the slope into c's
      return 8.0 * d + 2.0;
  }
  throw UsageError("unknown distance");
}

/// The norms of a point's embedding, which only the cosine distance needs: once per point.
inline double norm_operations(Distance distance, std::int64_t width) {
  return distance == Distance::cosine ? 2.0 * static_cast<double>(width) : 0.0;
}

/// Criterion and its derivative for one pair, and adding its value to the loss.
inline double criterion_operations(Criterion criterion) {
  switch (criterion) {
    case Criterion::absolute:  // D - t; add
      return 2.0;
    case Criterion::squared:  // D - t, square, double; add
      return 4.0;
    case Criterion::huber:  // D - t, then two for either branch's value, one for its slope; add
      return 5.0;
    case Criterion::contrastive:  // margin - D, both squares, halves; the slope; add
      return 7.0;
    case Criterion::logistic:  // exp, log1p, the part of D, their sum; two sigmoids from exp, 1 -
                               // t, the slope from both; add
      return 12.0;
  }
  throw UsageError("unknown criterion");
}

/// The target of a pair of true coordinates: their Euclidean distance.
inline double target_operations(std::int64_t coordinate_width) {
  return 3.0 * static_cast<double>(coordinate_width) + 1.0;
}

/// The loss over `pairs` pairs of `points` points with embeddings of `width` numbers.
inline double loss_operations(const Loss& loss, std::int64_t points, std::int64_t pairs,
                              std::int64_t width) {
  return static_cast<double>(pairs) *
             (distance_operations(loss.distance, width) + criterion_operations(loss.criterion)) +
         static_cast<double>(points) * norm_operations(loss.distance, width);
}

/// Adam's update of `count` parameters: 3 for m, 4 for v, 5 for the step (square root, epsilon,
/// division, rate, subtraction), and one more for the torch form's correction of v.
inline double adam_operations(const Adam& adam, std::int64_t count) {
  return static_cast<double>(count) * (adam.form == AdamForm::torch ? 13.0 : 12.0);
}

template <class T>
double scalar_bytes(std::int64_t count) {
  return static_cast<double>(count) * static_cast<double>(sizeof(T));
}

/// What a batch brings besides its points: indices, targets, true coordinates.
template <class T>
double pair_bytes(const Pairs<T>& pairs, std::int64_t points) {
  if (pairs.form == PairForm::all) return scalar_bytes<T>(points * pairs.coordinate_width);
  const double indices =
      pairs.form == PairForm::indexed ? scalar_bytes<PointIndex>(2 * pairs.count) : 0.0;
  return indices + scalar_bytes<T>(pairs.count);
}

template <class T>
Work work(const PairForwardArgs<T>& args) {
  const Network& network = *args.network;
  const std::int64_t per_point =
      network.input_width() + network.hidden_width() + network.embedding_width();
  return {
      2.0 * static_cast<double>(args.points) * static_cast<double>(network.forward_multiply_adds()),
      scalar_bytes<T>(args.points * per_point + network.parameter_count())};
}

template <class T>
Work work(const DistanceLossArgs<T>& args) {
  const std::int64_t merge = merge_parameters(args.loss.distance, args.width);
  return {loss_operations(args.loss, args.points, args.pairs.count, args.width),
          scalar_bytes<T>(2 * (args.points * args.width + merge)) +
              pair_bytes(args.pairs, args.points)};
}

template <class T>
Work work(const AllPairsLossArgs<T>& args) {
  const std::int64_t pairs = all_pairs_count(args.points);
  const std::int64_t merge = merge_parameters(args.loss.distance, args.width);
  return {loss_operations(args.loss, args.points, pairs, args.width) +
              static_cast<double>(pairs) * target_operations(args.coordinate_width),
          scalar_bytes<T>(args.points * (2 * args.width + args.coordinate_width) + 2 * merge)};
}

template <class T>
Work work(const PairBackwardArgs<T>& args) {
  const Network& network = *args.network;
  const Layer& first = network.layers().front();
  const std::int64_t read_parameters =  // the first layer's weights have no input to send back to
      network.parameter_count() - first.inputs * first.outputs;
  const std::int64_t per_point =
      network.input_width() + network.hidden_width() + 2 * network.embedding_width();
  return {2.0 * static_cast<double>(args.points) *
              static_cast<double>(network.backward_multiply_adds()),
          scalar_bytes<T>(args.points * per_point + read_parameters + network.parameter_count())};
}

template <class T>
Work work(const AdamArgs<T>& args) {
  return {adam_operations(args.adam, args.count), scalar_bytes<T>(7 * args.count)};
}

template <class T>
double train_step_operations(const TrainStepArgs<T>& args) {
  const Network& network = *args.network;
  const double layers =
      2.0 * static_cast<double>(args.points) *
      static_cast<double>(network.forward_multiply_adds() + network.backward_multiply_adds());
  const double targets =
      args.pairs.form == PairForm::all
          ? static_cast<double>(args.pairs.count) * target_operations(args.pairs.coordinate_width)
          : 0.0;
  return layers + targets +
         loss_operations(args.loss, args.points, args.pairs.count, network.embedding_width()) +
         adam_operations(args.adam, parameter_count(network, args.loss));
}

template <class T>
Work work(const TrainStepArgs<T>& args) {
  const Network& network = *args.network;
  return {train_step_operations(args), scalar_bytes<T>(args.points * network.input_width() +
                                                       6 * parameter_count(network, args.loss)) +
                                           pair_bytes(args.pairs, args.points)};
}

/// Every step of a training works on the pairs of its batch and on the points that they can name:
/// two a pair, and never more than there are. Data, and each training's parameters and moments,
/// cross once.
template <class T>
Work work(const FitArgs<T>& args) {
  double operations = 0.0;
  for (std::int64_t begin = 0; begin < args.training.pairs.count; begin += args.batch) {
    TrainStepArgs<T> step = args.training;
    step.pairs.count = std::min(args.batch, args.training.pairs.count - begin);
    if (step.pairs.count < args.training.pairs.count) {
      step.points = std::min(args.training.points, 2 * step.pairs.count);
    }
    operations += train_step_operations(step);
  }
  const auto trainings = static_cast<double>(args.trainings);
  const double own_bytes =
      scalar_bytes<T>(6 * parameter_count(*args.training.network, args.training.loss));
  return {trainings * static_cast<double>(args.epochs) * operations,
          work(args.training).bytes + (trainings - 1.0) * own_bytes};
}

}  // namespace siamese::bench
