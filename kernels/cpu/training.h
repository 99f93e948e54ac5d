#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/fit_checks.h"
#include "kernels/ops.h"
#include "model/pairs.h"
#include "model/permutation.h"

namespace siamese {

// train_step and fit by one kind of step: Step(most, threads) prepares for training steps of one
// network with as many points and pairs as `most` or fewer, and run(args) takes one on at most so
// many threads.

/// why_unsupported of fit, whose batches are pair lists.
template <class T>
std::optional<std::string> why_no_batches(const FitArgs<T>& args) {
  constexpr std::int64_t most = std::numeric_limits<PointIndex>::max();
  if (args.training.points > most && args.batch < args.training.pairs.count) {
    return fmt::format("batches of {} points: a pair list addresses at most {}",
                       args.training.points, most);
  }
  return why_no_steps(args);
}

/// The batches of a training, each as a training step of its own: its pairs in the order that
/// FitArgs defines, and the points that are in them, each once; or all points, where there are so
/// many pairs that hardly one is left out.
template <class T>
class BatchGatherer {
 public:
  explicit BatchGatherer(const FitArgs<T>& args)
      : training_(args.training),
        batch_(std::min(args.batch, std::max<std::int64_t>(pairs(), 1))),
        all_points_(batch_ >= 2 * args.training.points),
        first_(static_cast<std::size_t>(batch_)),
        second_(static_cast<std::size_t>(batch_)),
        targets_(static_cast<std::size_t>(batch_)) {
    if (all_points_) return;
    place_.assign(static_cast<std::size_t>(training_.points), -1);
    members_.reserve(static_cast<std::size_t>(most_points()));
    x_.resize(static_cast<std::size_t>(most_points() * training_.network->input_width()));
  }

  std::int64_t pairs() const { return training_.pairs.count; }
  std::int64_t batch() const { return batch_; }

  /// A step as large as any batch; only its sizes are right.
  TrainStepArgs<T> largest() const { return step(most_points(), x_.data(), batch_); }

  /// The step of pairs begin .. begin + count - 1 of an epoch. Valid until the next call.
  TrainStepArgs<T> gather(const Permutation& order, std::int64_t begin, std::int64_t count) {
    parallel(threads_for(static_cast<double>(count), least_gathered_pairs_a_thread),
             [&](Team team) {
               const Team::Range share = team.share(count);
               for (std::int64_t p = share.begin; p < share.end; ++p) {
                 gather_pair(order(begin + p), static_cast<std::size_t>(p));
               }
             });
    if (all_points_) return step(training_.points, training_.x, count);

    members_.clear();
    for (std::size_t p = 0; p < static_cast<std::size_t>(count); ++p) {
      first_[p] = place_of(first_[p]);
      second_[p] = place_of(second_[p]);
    }
    const std::int64_t width = training_.network->input_width();
    T* x = x_.data();
    for (const std::int64_t point : members_) {
      x = std::copy_n(training_.x + point * width, width, x);
      place_[static_cast<std::size_t>(point)] = -1;
    }
    return step(static_cast<std::int64_t>(members_.size()), x_.data(), count);
  }

 private:
  // A pair is found in some 0.1 microseconds, most of them the order's.
  static constexpr double least_gathered_pairs_a_thread = 500.0;

  std::int64_t most_points() const { return std::min(training_.points, 2 * batch_); }

  TrainStepArgs<T> step(std::int64_t points, const T* x, std::int64_t pairs) const {
    TrainStepArgs<T> args = training_;
    args.points = points;
    args.x = x;
    args.pairs = {};
    args.pairs.form = PairForm::indexed;
    args.pairs.count = pairs;
    args.pairs.first = first_.data();
    args.pairs.second = second_.data();
    args.pairs.targets = targets_.data();
    return args;
  }

  // Pair `source` of the training as pair p of the batch, its points by their places in X.
  void gather_pair(std::int64_t source, std::size_t p) {
    const PointPair pair = pair_at(source);
    first_[p] = static_cast<PointIndex>(pair.first);
    second_[p] = static_cast<PointIndex>(pair.second);
    targets_[p] = training_.pairs.form == PairForm::all ? true_distance(pair)
                                                        : training_.pairs.targets[source];
  }

  PointPair pair_at(std::int64_t index) const {
    const Pairs<T>& pairs = training_.pairs;
    if (pairs.form == PairForm::all) return unrank_pair(index, training_.points);
    if (pairs.form == PairForm::dense) return {index, pairs.count + index};
    return {pairs.first[index], pairs.second[index]};
  }

  PointIndex place_of(std::int64_t point) {
    PointIndex& place = place_[static_cast<std::size_t>(point)];
    if (place < 0) {
      place = static_cast<PointIndex>(members_.size());
      members_.push_back(point);
    }
    return place;
  }

  T true_distance(PointPair pair) const {
    const std::int64_t width = training_.pairs.coordinate_width;
    const T* const a = training_.pairs.coordinates + pair.first * width;
    const T* const b = training_.pairs.coordinates + pair.second * width;
    T sum = T(0);
    for (std::int64_t k = 0; k < width; ++k) sum += (a[k] - b[k]) * (a[k] - b[k]);
    return std::sqrt(sum);
  }

  TrainStepArgs<T> training_;
  std::int64_t batch_;
  bool all_points_;  // are rows of every batch, which then needs none of what follows the targets
  std::vector<PointIndex> first_, second_;
  std::vector<T> targets_;
  std::vector<T> x_;
  std::vector<PointIndex> place_;      // of a point among the batch's members, or -1
  std::vector<std::int64_t> members_;  // points of the batch, in the order of their coming
};

/// train_step by a Step.
template <class T, class Step>
class SingleStep {
 public:
  explicit SingleStep(const TrainStepArgs<T>& args) : args_(args), step_(args, most_threads()) {}
  void run() { step_.run(args_); }

 private:
  TrainStepArgs<T> args_;
  Step step_;
};

/// One training by a Step.
template <class T, class Step>
class OneFit {
 public:
  OneFit(const FitArgs<T>& args, int threads)
      : batches_(batches_of(args)),
        step_(batches_ ? batches_->largest() : args.training, threads) {}

  /// Trains one of the trainings that it was made for.
  void run(const FitArgs<T>& one) {
    for (std::int64_t epoch = 0; epoch < one.epochs; ++epoch) {
      one.training.loss_value[epoch] =
          batches_ ? epoch_loss(one, epoch) : step(one.training, one.training);
    }
  }

 private:
  /// Nothing where every step sees every pair: the training itself is the batch then, and no pair
  /// is copied.
  static std::optional<BatchGatherer<T>> batches_of(const FitArgs<T>& args) {
    const std::int64_t m = args.training.pairs.count;
    if (m > 0 && args.batch >= m) return std::nullopt;
    return std::optional<BatchGatherer<T>>(args);
  }

  /// A step on the points and pairs of `batch`, of the parameters that are trained.
  double step(TrainStepArgs<T> batch, const TrainStepArgs<T>& trained) {
    double loss = 0.0;
    batch.parameters = trained.parameters;
    batch.m = trained.m;
    batch.v = trained.v;
    batch.step = trained.step;
    batch.loss_value = &loss;
    step_.run(batch);
    return loss;
  }

  double epoch_loss(const FitArgs<T>& one, std::int64_t epoch) {
    const std::int64_t m = batches_->pairs();
    const Permutation order(m, {one.shuffle_seed, static_cast<std::uint64_t>(epoch)});
    double sum = 0.0;
    for (std::int64_t begin = 0; begin < m; begin += batches_->batch()) {
      const std::int64_t count = std::min(batches_->batch(), m - begin);
      sum += step(batches_->gather(order, begin, count), one.training) * static_cast<double>(count);
    }
    return sum / static_cast<double>(std::max<std::int64_t>(m, 1));
  }

  std::optional<BatchGatherer<T>> batches_;
  Step step_;
};

/// fit by a Step. One training has all threads; several are shared out to the threads, of which
/// each then trains alone: so small a step is over before threads have met often.
template <class T, class Step>
class Fit {
 public:
  explicit Fit(const FitArgs<T>& args) : args_(args) {
    const std::int64_t at_once = std::min<std::int64_t>(args.trainings, most_threads());
    const int threads = args.trainings == 1 ? most_threads() : 1;
    fits_.reserve(static_cast<std::size_t>(at_once));
    for (std::int64_t t = 0; t < at_once; ++t) fits_.emplace_back(args, threads);
  }

  void run() {
    const std::int64_t parameters = parameter_count(*args_.training.network, args_.training.loss);
    if (args_.trainings == 1) return fits_.front().run(args_);
    parallel(static_cast<int>(fits_.size()), [&](Team team) {
      OneFit<T, Step>& fit = fits_[static_cast<std::size_t>(team.index())];
      const Team::Range share = team.share(args_.trainings);
      for (std::int64_t k = share.begin; k < share.end; ++k) {
        fit.run(training_at(args_, k, parameters));
      }
    });
  }

 private:
  FitArgs<T> args_;
  std::vector<OneFit<T, Step>> fits_;  // of those at once
};

}  // namespace siamese
