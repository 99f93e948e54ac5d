#pragma once

#include <cstdint>
#include <string_view>

#include "model/adam.h"
#include "model/loss.h"
#include "model/network.h"
#include "model/pairs.h"
#include "model/parameters.h"

namespace siamese {

// The operations of the suite and what each takes: plain structs of shapes and of pointers to
// memory on the variant's device. T is the scalar in memory: float, or double for gradient checks.
// Matrices are row-major and contiguous; n is `points`, m the number of pairs. Inputs and outputs
// never overlap. Every variant writes every element of its outputs, and adds to none.
//
// Notation: X [n, d0] inputs; W_l [d_{l-1}, d_l], b_l [d_l] in the flat `parameters`
// (model/parameters.h); h_l [n, d_l] activations; E = h_L [n, d] embeddings; G = dLoss/dE [n, d];
// w [d], c parameters of the merge (model/loss.h), nothing for most distances.

/// The pairs of a batch with their targets. `indexed` and `dense` bring a target per pair; `all`
/// brings true coordinates, whose Euclidean distances are the targets.
template <class T>
struct Pairs {
  PairForm form = PairForm::dense;
  std::int64_t count = 0;              ///< m
  const PointIndex* first = nullptr;   ///< [m], indexed only; 0 to points - 1, which nobody checks
  const PointIndex* second = nullptr;  ///< [m], as first
  const T* targets = nullptr;          ///< [m], dense and indexed
  const T* coordinates = nullptr;      ///< C [n, coordinate_width], all only
  std::int64_t coordinate_width = 0;
};

/// X, parameters -> E, and the hidden activations that backward needs.
template <class T>
struct PairForwardArgs {
  const Network* network = nullptr;
  std::int64_t points = 0;
  const T* x = nullptr;           ///< X [n, d0]
  const T* parameters = nullptr;  ///< network->parameter_count()
  T* hidden = nullptr;            ///< out: h_1 [n, d1], h_2 [n, d2], .. h_{L-1}, one after another
  T* embeddings = nullptr;        ///< out: E [n, d]
};

/// E, w and c, pairs with targets (dense or indexed) -> mean loss, G and the gradient by w and c,
/// in one pass. A pair of a point with itself has no part in G, but one in the loss and in c's
/// gradient.
template <class T>
struct DistanceLossArgs {
  std::int64_t points = 0;
  std::int64_t width = 0;  ///< d
  const T* embeddings = nullptr;
  const T* merge = nullptr;  ///< [merge_parameters(loss.distance, d)]
  Pairs<T> pairs;
  Loss loss;
  double* loss_value = nullptr;  ///< out: one number, 0 for no pairs
  T* gradient = nullptr;         ///< out: G [n, d]
  T* merge_gradient = nullptr;   ///< out: as merge
};

/// E, w and c, true coordinates C -> mean loss over every pair of points, G, and the gradient by w
/// and c.
template <class T>
struct AllPairsLossArgs {
  std::int64_t points = 0;
  std::int64_t width = 0;  ///< d
  const T* embeddings = nullptr;
  const T* merge = nullptr;           ///< [merge_parameters(loss.distance, d)]
  std::int64_t coordinate_width = 0;  ///< k
  const T* coordinates = nullptr;     ///< C [n, k]
  Loss loss;
  double* loss_value = nullptr;  ///< out: one number, 0 for fewer than two points
  T* gradient = nullptr;         ///< out: G [n, d]
  T* merge_gradient = nullptr;   ///< out: as merge
};

/// X, parameters, activations, G -> gradients of the loss by the parameters.
template <class T>
struct PairBackwardArgs {
  const Network* network = nullptr;
  std::int64_t points = 0;
  const T* x = nullptr;           ///< X [n, d0]
  const T* parameters = nullptr;  ///< network->parameter_count()
  const T* hidden = nullptr;      ///< as pair_forward leaves it
  const T* embeddings = nullptr;  ///< E [n, d]
  const T* gradient = nullptr;    ///< G [n, d]
  T* gradients = nullptr;         ///< out: network->parameter_count()
};

/// One step of Adam on a flat buffer, in place. `step` counts the steps taken and lives on the
/// device, where the update advances it, so that a replayed launch takes the next step.
template <class T>
struct AdamArgs {
  std::int64_t count = 0;
  const T* gradients = nullptr;  ///< [count]
  T* parameters = nullptr;       ///< in, out: [count]
  T* m = nullptr;                ///< in, out: first moments [count]
  T* v = nullptr;                ///< in, out: second moments [count]
  std::int64_t* step = nullptr;  ///< in, out: t - 1 before, t after
  Adam adam;
};

/// One training step on a batch, in place: forward, loss, backward, Adam.
template <class T>
struct TrainStepArgs {
  const Network* network = nullptr;
  std::int64_t points = 0;
  const T* x = nullptr;  ///< X [n, d0]
  Pairs<T> pairs;
  Loss loss;
  Adam adam;
  T* parameters = nullptr;       ///< in, out: parameter_count(*network, loss)
  T* m = nullptr;                ///< in, out: as parameters
  T* v = nullptr;                ///< in, out: as parameters
  std::int64_t* step = nullptr;  ///< in, out: one number
  double* loss_value = nullptr;  ///< out: the mean loss before the update
};

/// Whole epochs of training over a pair list, indexed or dense, or over all pairs, with nothing
/// crossing to the host between steps. Epoch e visits the pairs in the order of Permutation(m,
/// {shuffle_seed, e}) (model/permutation.h), e counted from 0, in batches of `batch` (the last one
/// may be smaller); each batch's loss is the mean over its own pairs. Where batch >= m every step
/// sees every pair and the order has no meaning.
///
/// Several trainings may run at once, each as if it were alone: of the same network on the same
/// points and pairs, but with parameters, moments, step counts and losses of their own, which lie
/// one training after another. Training k shuffles by shuffle_seed + k.
template <class T>
struct FitArgs {
  TrainStepArgs<T> training;  ///< loss_value here: [epochs], the mean over an epoch's pairs
  std::int64_t epochs = 0;
  std::int64_t batch = 0;
  std::uint64_t shuffle_seed = 0;
  std::int64_t trainings = 1;
};

/// Training k of several as a training of its own. Each has so many `parameters`.
template <class T>
constexpr FitArgs<T> training_at(const FitArgs<T>& args, std::int64_t k, std::int64_t parameters) {
  FitArgs<T> one = args;
  one.training.parameters += k * parameters;
  one.training.m += k * parameters;
  one.training.v += k * parameters;
  one.training.step += k;
  one.training.loss_value += k * args.epochs;
  one.shuffle_seed += static_cast<std::uint64_t>(k);
  one.trainings = 1;
  return one;
}

/// The op that a struct of arguments belongs to, as results name it.
template <class Args>
inline constexpr std::string_view op_name = "";
template <class T>
inline constexpr std::string_view op_name<PairForwardArgs<T>> = "pair_forward";
template <class T>
inline constexpr std::string_view op_name<DistanceLossArgs<T>> = "distance_loss";
template <class T>
inline constexpr std::string_view op_name<AllPairsLossArgs<T>> = "all_pairs_loss";
template <class T>
inline constexpr std::string_view op_name<PairBackwardArgs<T>> = "pair_backward";
template <class T>
inline constexpr std::string_view op_name<AdamArgs<T>> = "adam";
template <class T>
inline constexpr std::string_view op_name<TrainStepArgs<T>> = "train_step";
template <class T>
inline constexpr std::string_view op_name<FitArgs<T>> = "fit";

}  // namespace siamese
