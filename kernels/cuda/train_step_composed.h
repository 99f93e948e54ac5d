#pragma once

#include <string_view>

#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese::cuda {

/// A step's two passes through the network.
struct LayerLaunches {
  Launch forward;
  Launch backward;
};

/// A training step composed of other ops' variants, by name: losses and Adam of the highest rungs
/// that leave the same bits each time, where it does not say otherwise.
struct Composition {
  std::string_view name;  ///< of the step
  int rung;
  std::string_view forward;
  /// Where it serves the shape, else gather, whose rows may be as wide as a block has memory for.
  std::string_view distance_loss = "scan";
  /// Where it serves the shape, else square, which serves all.
  std::string_view all_pairs_loss = "triangle";
  std::string_view backward;
  std::string_view adam = "vector";
  /// Where forward has more to hand to backward than the ops have arguments for: both of these
  /// names in one. Null: each by itself.
  LayerLaunches (*layers)(const PairForwardArgs<float>&, const PairBackwardArgs<float>&,
                          Precision products) = nullptr;
  /// Whether the passes hand hidden activations to each other by the ops' arguments. False only
  /// with `layers` that keep them to themselves: there is no room for others then.
  bool hands_hidden = true;
  bool captured = false;  ///< replayed as a graph
  bool deterministic = true;
};

/// The step, with forward and backward in the precision of `products`; loss and Adam compute in T.
template <class T>
Variant<TrainStepArgs<T>> composed_step(const Composition& parts, Precision products);

}  // namespace siamese::cuda
