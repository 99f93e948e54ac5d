#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "cpu_ref/adam.h"
#include "cpu_ref/backward.h"
#include "cpu_ref/forward.h"
#include "cpu_ref/loss.h"
#include "model/error.h"
#include "model/permutation.h"

namespace siamese::ref {

/// Loss and gradients of a batch by its embeddings and by the merge's parameters: any of
/// cpu_ref/loss.h with its data bound.
template <class T>
using BatchLoss =
    std::function<LossValue<T>(const RowMatrix<T>& embeddings, std::span<const T> merge)>;

/// A network in training, and a merge: parameters of both, and Adam's state, in the flat layout.
template <class T>
struct Training {
  Network network;
  std::vector<T> parameters;
  Adam adam;
  AdamState<T> state;

  Training(Network network_, std::vector<T> parameters_, Adam adam_)
      : network(std::move(network_)),
        parameters(std::move(parameters_)),
        adam(adam_),
        state(parameters.size()) {}
};

/// The merge's among the parameters of a training.
template <class T>
std::span<const T> merge_of(const Network& network, std::span<const T> parameters) {
  return parameters.subspan(static_cast<std::size_t>(network.parameter_count()));
}

/// Gradients of all parameters, those of the merge behind the network's, from the activations that
/// forward gave and the loss.
template <class T>
std::vector<T> all_gradients(const Network& network, std::span<const T> parameters,
                             const RowMatrix<T>& x, const std::vector<RowMatrix<T>>& h,
                             const LossValue<T>& loss) {
  std::vector<T> gradients = backward<T>(network, parameters, x, h, loss.gradient);
  gradients.insert(gradients.end(), loss.merge_gradient.begin(), loss.merge_gradient.end());
  return gradients;
}

/// Forward, loss and backward of one batch, without an update.
template <class T>
struct BatchGradients {
  T loss;
  std::vector<T> gradients;
};

template <class T>
BatchGradients<T> batch_gradients(const Network& network, std::span<const T> parameters,
                                  const RowMatrix<T>& x, const BatchLoss<T>& loss) {
  const std::vector<RowMatrix<T>> h = forward<T>(network, parameters, x);
  const LossValue<T> value = loss(h.back(), merge_of(network, parameters));
  return {value.value, all_gradients<T>(network, parameters, x, h, value)};
}

/// One training step; returns the mean loss before the update.
template <class T>
T train_step(Training<T>& training, const RowMatrix<T>& x, const BatchLoss<T>& loss) {
  const BatchGradients<T> batch =
      batch_gradients<T>(training.network, training.parameters, x, loss);
  adam_update<T>(training.adam, batch.gradients, training.parameters, training.state);
  return batch.loss;
}

/// How a batch of listed pairs is costed: pair_loss with a Loss bound, or as_written_loss.
template <class T>
using ListLoss =
    std::function<LossValue<T>(const RowMatrix<T>& embeddings, std::span<const T> merge,
                               const PairList& pairs, std::span<const T> targets)>;

/// Epochs over an indexed pair list in shuffled batches, as FitArgs (kernels/ops.h) defines them.
/// Returns each epoch's mean loss over its pairs; `after_epoch` hears it as it comes.
template <class T>
std::vector<T> fit(Training<T>& training, const RowMatrix<T>& x, const PairList& pairs,
                   std::span<const T> targets, const ListLoss<T>& loss, std::int64_t epochs,
                   std::int64_t batch, std::uint64_t shuffle_seed,
                   const std::function<void(std::int64_t epoch, T loss)>& after_epoch = {}) {
  check_targets(pairs, targets);
  if (batch < 1) throw UsageError(fmt::format("batches of {} pairs; expected 1 or more", batch));
  std::vector<T> curve;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const Permutation order(pairs.size(), {shuffle_seed, static_cast<std::uint64_t>(epoch)});
    T sum = T(0);
    for (std::int64_t begin = 0; begin < pairs.size(); begin += batch) {
      const std::int64_t end = std::min(begin + batch, pairs.size());
      PairList batch_pairs;
      std::vector<T> batch_targets;
      for (std::int64_t p = begin; p < end; ++p) {
        const auto source = static_cast<std::size_t>(order(p));
        batch_pairs.first.push_back(pairs.first[source]);
        batch_pairs.second.push_back(pairs.second[source]);
        batch_targets.push_back(targets[source]);
      }
      const T mean =
          train_step<T>(training, x, [&](const RowMatrix<T>& embeddings, std::span<const T> merge) {
            return loss(embeddings, merge, batch_pairs, std::span<const T>(batch_targets));
          });
      sum += mean * static_cast<T>(end - begin);
    }
    curve.push_back(sum / static_cast<T>(std::max<std::int64_t>(pairs.size(), 1)));
    if (after_epoch) after_epoch(epoch, curve.back());
  }
  return curve;
}

}  // namespace siamese::ref
