#pragma once

#include <cstddef>

#include "kernels/cuda/fit_batch.cuh"
#include "kernels/cuda/fit_plan.h"
#include "kernels/cuda/panel.cuh"
#include "kernels/cuda/team.cuh"

namespace siamese::cuda {

/// A whole training by one team of threads, which never returns to the host. Weights, activations
/// and gradients lie where the plan put them, padded; Adam's moments stay in the caller's buffers.
///
/// A step, with a barrier after each line (L layers):
///   its pairs, their rows of x where they bring some, and Adam's scalars; where every step has all
///   pairs, the first step's stay
///   h_l = act(h_{l-1} W_l)                     L times
///   D and dLoss/dD of each pair
///   dz_L from the pairs
///   dz_{l-1} = dz_l W_l^T * act'(h_{l-1})      for l = L .. 2, while W_{l+1} is updated
///   W_1 updated
/// so 2 L + 3 barriers. Where the distance has weights they are updated while dz_{L-1} is made. A
/// weight's gradient is summed and used by one thread, in registers.
///
/// What bank conflicts are left in shared memory (a twentieth of its passes at the size of the
/// original experiment) are a thread's stores of a tile of h by elements, four columns from its
/// neighbours', and updates of W where eight tiles reach around the end of a row (panel.cuh).
template <Distance distance, class T, class Team>
class TeamFit {
 public:
  using Pair = BatchPair<distance, T>;

  /// `workspace` is all zeros, and so is `shared` (a block's; unused where the plan places nothing
  /// there).
  __device__ TeamFit(const Team& team, const FitArgs<T>& args, const FitPlan& plan,
                     std::byte* shared, std::byte* workspace)
      : team_(team),
        args_(args),
        training_(args.training),
        plan_(plan),
        shared_(shared),
        workspace_(workspace),
        input_(panel(plan.input, plan.layer[0].inputs + 1)),
        pairs_(at<Pair>(plan.pairs)),
        costs_(at<double>(plan.costs)),
        adam_(at<AdamStep>(plan.adam)) {}

  __device__ void run() {
    load();
    const std::int64_t before = *training_.step;
    team_.sync();
    const std::int64_t step = run_epochs(
        args_, plan_.batches.batch, before,
        [&](const BatchPlace& place, std::int64_t number) { return take_step(place, number); },
        [&](std::int64_t epoch, double cost) {
          mean_cost(team_, cost, costs_, plan_.cost_count, training_.pairs.count,
                    training_.loss_value + epoch);
        });
    store();
    if (team_.rank() == 0) *training_.step = step;
  }

 private:
  template <class E>
  __device__ E* at(const Place& place) const {
    return reinterpret_cast<E*>((place.shared ? shared_ : workspace_) + place.offset);
  }
  __device__ Panel<T> panel(const Place& place, int columns) const {
    return {at<T>(place), static_cast<int>(panel_stride<T>(columns))};
  }
  __device__ Panel<T> weights(const PlannedLayer& layer) const {
    return panel(layer.weights, layer.outputs);
  }
  /// h_l, the last of which no product reads.
  __device__ Panel<T> output(int l) const {
    const PlannedLayer& layer = plan_.layer[l];
    Panel<T> h = panel(layer.output, layer.outputs + 1);
    if (l == plan_.layers - 1) h.stride = embedding_stride(layer.outputs);
    return h;
  }
  __device__ Panel<T> gradient(const PlannedLayer& layer) const {
    return panel(layer.gradient, layer.outputs);
  }
  __device__ Panel<T> input(int l) const { return l == 0 ? input_ : output(l - 1); }

  /// Calls use(weight, its place in the flat buffer) for this thread's share of W_l and b_l.
  template <class Use>
  __device__ void for_each_weight(const PlannedLayer& layer, Use use) const {
    const Panel<T> w = weights(layer);
    const int count = (layer.inputs + 1) * layer.outputs;
    for (int i = team_.rank(); i < count; i += team_.size()) {
      use(row_of(w, i / layer.outputs)[i % layer.outputs], layer.parameters + i);
    }
  }

  /// Sets column k of every row to 1.
  __device__ void fill_ones(const Panel<T>& to, int k) const {
    for (int r = team_.rank(); r < plan_.batches.most_rows; r += team_.size()) {
      row_of(to, r)[k] = T(1);
    }
  }

  /// The parameters, columns of ones, and x where every step has the points for rows.
  __device__ void load() const {
    for (int l = 0; l < plan_.layers; ++l) {
      const PlannedLayer& layer = plan_.layer[l];
      for_each_weight(layer, [&](T& w, std::int64_t i) { w = training_.parameters[i]; });
      fill_ones(input(l), layer.inputs);
    }
    if (plan_.batches.own_rows) return;
    const int width = plan_.layer[0].inputs;
    for (int i = team_.rank(); i < plan_.batches.most_rows * width; i += team_.size()) {
      row_of(input_, i / width)[i % width] = training_.x[i];
    }
  }

  __device__ void store() const {
    for (int l = 0; l < plan_.layers; ++l) {
      for_each_weight(plan_.layer[l],
                      [&](const T& w, std::int64_t i) { training_.parameters[i] = w; });
    }
  }

  /// Returns the costs of this thread's pairs.
  __device__ double take_step(const BatchPlace& place, std::int64_t step) const {
    const int rows = plan_.batches.own_rows ? 2 * place.count : plan_.batches.most_rows;
    // The first thread is the likeliest to have no pair.
    if (team_.rank() == 0) *adam_ = adam_step_at(training_.adam, step);
    if (place.is_first() || plan_.batches.shuffled) {
      gather_batch(team_, args_, plan_.batches, plan_.layer[0].inputs, place, pairs_, input_);
    }
    team_.sync();
    forward(rows);
    const PlannedLayer& last = plan_.layer[plan_.layers - 1];
    const Panel<T> e = output(plan_.layers - 1);
    const Merge<distance, T> merge(training_.parameters + plan_.merge, last.outputs);
    const double cost =
        cost_pairs(team_, training_.loss, place.count, last.outputs, e, merge, pairs_);
    team_.sync();
    embedding_gradient(team_, plan_.batches, place.count, rows, last.outputs, last.activation, e,
                       merge, pairs_, gradient(last));
    team_.sync();
    update_merge(team_, place.count, last.outputs, e, pairs_, training_.adam, *adam_,
                 training_.parameters + plan_.merge, training_.m + plan_.merge,
                 training_.v + plan_.merge);
    backward(rows);
    return cost;
  }

  __device__ void forward(int rows) const {
    for (int l = 0; l < plan_.layers; ++l) {
      const PlannedLayer& layer = plan_.layer[l];
      const Panel<T> h = output(l);
      multiply(team_, rows, layer.inputs + 1, layer.outputs, input(l), weights(layer),
               [&](int r, int c, T z) { row_of(h, r)[c] = activate(layer.activation, z); });
      team_.sync();
    }
  }

  __device__ void backward(int rows) const {
    const AdamConstants<T> adam(training_.adam, *adam_);
    for (int l = plan_.layers; l-- > 0;) {
      const PlannedLayer& layer = plan_.layer[l];
      if (l > 0) {
        const PlannedLayer& below = plan_.layer[l - 1];
        const Panel<T> h = output(l - 1);
        const Panel<T> dz = gradient(below);
        multiply_transposed(team_, rows, layer.outputs, layer.inputs, gradient(layer),
                            weights(layer), [&](int r, int k, T dh) {
                              row_of(dz, r)[k] =
                                  dh * activation_derivative(below.activation, row_of(h, r)[k]);
                            });
        team_.sync();
      }
      const TrainedPanel<T> trained{weights(layer),
                                    {training_.m + layer.parameters, layer.outputs},
                                    {training_.v + layer.parameters, layer.outputs}};
      update_weights(team_, rows, layer.inputs + 1, layer.outputs, input(l), gradient(layer), adam,
                     trained);
    }
    team_.sync();
  }

  Team team_;
  const FitArgs<T>& args_;
  const TrainStepArgs<T>& training_;
  const FitPlan& plan_;
  std::byte* shared_;
  std::byte* workspace_;
  Panel<T> input_;
  Pair* pairs_;
  double* costs_;
  AdamStep* adam_;
};

}  // namespace siamese::cuda
