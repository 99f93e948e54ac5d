#pragma once

#include <cstddef>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/fit_batches.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/panel.cuh"
#include "model/permutation.h"

// The pairs of one step of a training, by the threads of a team (team.cuh): which they are, what
// they cost, and the gradient of the embeddings. For that a warp takes a row and adds up the pairs
// that the row is in, in an order that the batch sets: no atomics, the same bits each time.
namespace siamese::cuda {

/// What a pair of a batch has besides, to be an odd number of scalars: so that the same member of
/// neighbouring pairs lies in different banks of shared memory.
template <class T, std::size_t scalars>
struct Spare {};
template <class T, std::size_t scalars>
requires(scalars % 2 == 0) struct Spare<T, scalars> {
  T unused;
};

/// A pair of a batch: its rows and target, then its distance and the derivative of the mean loss by
/// it.
template <Distance distance, class T>
struct BatchPair : Spare<T, 2 + (2 * sizeof(int) + sizeof(PairDistance<distance, T>)) / sizeof(T)> {
  int first;
  int second;
  T target;
  T derivative;
  PairDistance<distance, T> d;
};

/// The stride of E [rows, width], whose rows pairs read in any order: of 32 neighbours, each begins
/// in a bank of its own.
__device__ constexpr int embedding_stride(int width) { return width | 1; }

/// unrank_pair (model/pairs.h) in device code: pair `rank` in the order (0,1), (0,2), .., (1,2), ..
__device__ inline PointPair pair_at_rank(std::int64_t rank, std::int64_t points) {
  const auto row_begin = [points](std::int64_t i) { return i * (2 * points - 1 - i) / 2; };
  const double b = 2.0 * static_cast<double>(points) - 1.0;
  const double root = sqrt(fmax(0.0, b * b - 8.0 * static_cast<double>(rank)));
  auto first = static_cast<std::int64_t>((b - root) / 2.0);
  first = min(max(first, std::int64_t{0}), points - 2);
  while (row_begin(first) > rank) --first;  // the root may be off by a few rows
  while (first + 1 < points - 1 && row_begin(first + 1) <= rank) ++first;
  return {first, first + 1 + (rank - row_begin(first))};
}

/// Where a step stands in its training.
struct BatchPlace {
  std::int64_t epoch;
  std::int64_t begin;  ///< the first of its pairs, in the epoch's order
  int count;           ///< of its pairs

  __device__ bool is_first() const { return epoch == 0 && begin == 0; }
};

/// The batch of an epoch that begins with pair `begin`; past its end, the next epoch's first; none,
/// of no pairs, past the last epoch.
template <class T>
__device__ BatchPlace batch_at(const FitArgs<T>& args, int batch, std::int64_t epoch,
                               std::int64_t begin) {
  const std::int64_t pairs = args.training.pairs.count;
  if (begin >= pairs) {
    ++epoch;
    begin = 0;
  }
  const std::int64_t left = epoch < args.epochs ? pairs - begin : 0;
  return {epoch, begin, left < batch ? static_cast<int>(left) : batch};
}

/// All epochs, step by step: take_step(place, step) returns what this thread's pairs of the batch
/// cost, end_epoch(epoch, what its pairs of the whole epoch did). Steps are counted on from `step`;
/// returns the last one's number.
template <class T, class TakeStep, class EndEpoch>
__device__ std::int64_t run_epochs(const FitArgs<T>& args, int batch, std::int64_t step,
                                   TakeStep take_step, EndEpoch end_epoch) {
  const std::int64_t pairs = args.training.pairs.count;
  for (std::int64_t epoch = 0; epoch < args.epochs; ++epoch) {
    double cost = 0.0;
    for (std::int64_t begin = 0; begin < pairs; begin += batch) {
      cost += take_step(batch_at(args, batch, epoch, begin), ++step);
    }
    end_epoch(epoch, cost);
  }
  return step;
}

/// Finds the pairs of a batch; where they bring rows of their own, these go to `input` [rows, d0].
/// By the last threads, which are the likeliest to have no tile of a product.
template <Distance distance, class Team, class T>
__device__ void gather_batch(const Team& team, const FitArgs<T>& args, const FitBatches& batches,
                             int inputs, const BatchPlace& place, BatchPair<distance, T>* pairs,
                             const Panel<T>& input) {
  const TrainStepArgs<T>& training = args.training;
  const int from_last = team.size() - 1 - team.rank();
  if (from_last >= place.count) return;
  const Permutation order(training.pairs.count,
                          {args.shuffle_seed, static_cast<std::uint64_t>(place.epoch)});
  for (int p = from_last; p < place.count; p += team.size()) {
    const std::int64_t source = batches.shuffled ? order(place.begin + p) : place.begin + p;
    const bool all = training.pairs.form == PairForm::all;
    const PointPair points =
        all ? pair_at_rank(source, training.points) : points_of(training.pairs, source);
    BatchPair<distance, T>& pair = pairs[p];
    static_assert(sizeof pair / sizeof(T) % 2 == 1);
    pair.target =
        all ? coordinate_distance(training.pairs.coordinates, training.pairs.coordinate_width,
                                  points.first, points.second)
            : training.pairs.targets[source];
    pair.first = batches.own_rows ? p : static_cast<int>(points.first);
    pair.second = batches.own_rows ? place.count + p : static_cast<int>(points.second);
    if (!batches.own_rows) continue;
    for (int k = 0; k < inputs; ++k) {
      row_of(input, pair.first)[k] = training.x[points.first * inputs + k];
      row_of(input, pair.second)[k] = training.x[points.second * inputs + k];
    }
  }
}

/// Distances and derivatives of this thread's pairs from E [rows, width]; returns their costs' sum.
template <Distance distance, class Team, class T>
__device__ double cost_pairs(const Team& team, const Loss& loss, int count, int width,
                             const Panel<T>& embeddings, const Merge<distance, T>& merge,
                             BatchPair<distance, T>* pairs) {
  const T mean = static_cast<T>(1.0 / static_cast<double>(count));
  double sum = 0.0;
  for (int p = team.rank(); p < count; p += team.size()) {
    BatchPair<distance, T>& pair = pairs[p];
    const T* const a = row_of(embeddings, pair.first);
    const T* const b = row_of(embeddings, pair.second);
    PairDistance<distance, T> d;
    for (int k = 0; k < width; ++k) d.add(a[k], b[k], merge.weight(k));
    const Cost<T> c = cost(loss, d.finish(merge.offset()), pair.target);
    pair.d = d;
    pair.derivative = mean * c.derivative;
    sum += static_cast<double>(c.value);
  }
  return sum;
}

/// dz = dLoss/dz_L [rows, width] of the batch whose pairs are costed. A warp has a row. Its lanes
/// look through 128 pairs at once for those that the row is in; then four groups of 8 lanes have 32
/// of these each and add up what they find, two columns a lane, so that a row waits for the fullest
/// group's pairs one after another and not for all of its own.
template <Distance distance, class Team, class T>
__device__ void embedding_gradient(const Team& team, const FitBatches& batches, int count, int rows,
                                   int width, Activation activation, const Panel<T>& embeddings,
                                   const Merge<distance, T>& merge,
                                   const BatchPair<distance, T>* pairs, const Panel<T>& dz) {
  constexpr int group_lanes = 8;
  constexpr int groups = warp_size / group_lanes;
  constexpr int columns = 2;
  const int lane = team.rank() % warp_size;
  const int group = lane / group_lanes;
  for (int row = team.rank() / warp_size; row < rows; row += team.size() / warp_size) {
    // Among pairs with rows of their own, only one can have this row.
    const int begin = batches.own_rows ? row % count : 0;
    const int end = batches.own_rows ? begin + 1 : count;
    const T* const own = row_of(embeddings, row);
    for (int k = lane % group_lanes; k - lane % group_lanes < width; k += columns * group_lanes) {
      const auto column = [&](int j) { return min(k + j * group_lanes, width - 1); };
      T sums[columns] = {};
      for (int chunk = begin; chunk < end; chunk += groups * warp_size) {
        unsigned left = 0;
#pragma unroll
        for (int g = 0; g < groups; ++g) {
          const int p = chunk + g * warp_size + lane;
          // A pair of a point with itself adds a gradient and its opposite: nothing.
          const bool here = p < end && (pairs[p].first == row) != (pairs[p].second == row);
          const unsigned found = __ballot_sync(full_warp, here);
          if (g == group) left = found;
        }
        for (; left != 0; left &= left - 1) {
          const BatchPair<distance, T>& pair =
              pairs[chunk + group * warp_size + __ffs(static_cast<int>(left)) - 1];
          const bool is_first = pair.first == row;
          const T* const other = row_of(embeddings, is_first ? pair.second : pair.first);
#pragma unroll
          for (int j = 0; j < columns; ++j) {
            const T mine = own[column(j)];
            const T others = other[column(j)];
            const T w = merge.weight(column(j));
            sums[j] += pair.derivative *
                       (is_first ? pair.d.by_a(mine, others, w) : pair.d.by_b(others, mine, w));
          }
        }
      }
#pragma unroll
      for (int j = 0; j < columns; ++j) {
        for (int step = group_lanes; step < warp_size; step *= 2) {
          sums[j] += __shfl_xor_sync(full_warp, sums[j], step);
        }
        if (group == 0 && k + j * group_lanes < width) {
          row_of(dz, row)[column(j)] = sums[j] * activation_derivative(activation, own[column(j)]);
        }
      }
    }
  }
}

/// Adam's step of the merge's parameters, a warp each, from a batch whose pairs are costed; nothing
/// for a distance without parameters.
template <Distance distance, class Team, class T>
__device__ void update_merge(const Team& team, int count, int width, const Panel<T>& embeddings,
                             const BatchPair<distance, T>* pairs, const Adam& adam,
                             const AdamStep& step, T* parameters, T* m, T* v) {
  if constexpr (has_weights(distance)) {
    const AdamConstants<T> constants(adam, step);
    const int lane = team.rank() % warp_size;
    const int parameter_count = static_cast<int>(merge_parameters(distance, width));
    for (int q = team.rank() / warp_size; q < parameter_count; q += team.size() / warp_size) {
      T sum = T(0);
      for (int p = lane; p < count; p += warp_size) {
        const BatchPair<distance, T>& pair = pairs[p];
        const T by_parameter = q == width ? T(1)
                                          : pair.d.term(row_of(embeddings, pair.first)[q],
                                                        row_of(embeddings, pair.second)[q]);
        sum += pair.derivative * by_parameter;
      }
      sum = group_sum(sum, warp_size);
      if (lane == 0) constants.update(sum, parameters[q], m[q], v[q]);
    }
  }
}

/// The epoch's mean loss to *out, over `pairs`, from what the team's first `count` threads found
/// theirs to cost; by the first warp, in a fixed order. costs [count] is shared by the team.
template <class Team>
__device__ void mean_cost(const Team& team, double cost, double* costs, int count,
                          std::int64_t pairs, double* out) {
  if (team.rank() < count) costs[team.rank()] = cost;
  team.sync();
  if (team.rank() < warp_size) {
    double sum = 0.0;
    for (int i = team.rank(); i < count; i += warp_size) sum += costs[i];
    sum = group_sum(sum, warp_size);
    if (team.rank() == 0) *out = sum * (1.0 / static_cast<double>(pairs > 0 ? pairs : 1));
  }
  team.sync();  // before the next epoch's costs
}

}  // namespace siamese::cuda
