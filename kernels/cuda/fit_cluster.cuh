#pragma once

#include <cooperative_groups.h>

#include <cstddef>

#include "kernels/cuda/fit_batch.cuh"
#include "kernels/cuda/fit_cluster_plan.h"
#include "kernels/cuda/panel.cuh"
#include "kernels/cuda/team.cuh"

namespace siamese::cuda {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 900

/// Quotients by one divisor, of numbers from 0 to below 2^22: in float32, whose error is then less
/// than the half over the divisor that lies between (i + 1/2) / divisor and a whole number. All
/// that counts elements of shared memory is far below.
class SmallDivisor {
 public:
  __device__ explicit SmallDivisor(int divisor) : inverse_(1.0F / static_cast<float>(divisor)) {}
  __device__ int quotient(int i) const {
    return static_cast<int>((static_cast<float>(i) + 0.5F) * inverse_);
  }

 private:
  float inverse_;
};

/// A whole training by one cluster, whose blocks each own a slice of every hidden layer's units,
/// with the weights and moments that belong to it, in shared memory. They meet where a sum or a
/// product runs over units of all blocks. A step of L layers:
///   its rows of x where its pairs bring some, in every block alike
///   h_l = act(h_{l-1} W_l) of the own units, written to every block; cluster barrier, l <= L - 2
///   h_{L-1} of the own units, which no other block needs
///   z_L from the own units, a share written to every block; cluster barrier
///   h_L from the shares in order, the pairs' costs, dz_L, in every block alike
///   dz_{L-1} of the own units; W_L updated, beside it Adam's scalars of the next step
///   dh_{l-1} from the own units of dz_l, each column's share written to its owner; cluster
///     barrier, with the update of W_l between arriving and waiting; dz_{l-1}; for l = L - 1 .. 2
///   W_1 updated
///   beside the first of these updates the next step's pairs are found
/// so 2 L - 3 cluster barriers: 3 for three layers. The parameters of a distance that has some are
/// kept and updated in every block alike.
///
/// A block that is ahead may be a barrier further than its neighbour. It then writes the next
/// step's h_l while the neighbour still reads this step's for the update of W_{l+1}; and with L = 2
/// the next step's shares of z_L: both are kept twice, and steps take turns. Shares of dh_l need
/// not be: the barrier of z_L lies between their reading and their next writing.
///
/// Of the 1,121,700 passes of shared memory that results/counts has of the original experiment
/// 130,870 are bank conflicts. About half come with packs of W, m and v at the update: a slice
/// of 25 units is 7 packs wide, so eight tiles reach around the end of a row, and one meets
/// another's bank whatever the padding, for tiles are four rows apart. A fifth are stores into
/// other blocks, whose columns begin at multiples of 25 and so go by elements.
template <Distance distance, class T>
class ClusterFit {
 public:
  using Pair = BatchPair<distance, T>;

  /// `shared` is all zeros in every block.
  __device__ ClusterFit(const FitArgs<T>& args, const ClusterPlan& plan, std::byte* shared)
      : rank_(static_cast<int>(cluster_.block_rank())),
        args_(args),
        training_(args.training),
        plan_(plan),
        last_(plan.layer[plan.layers - 1]),
        below_last_(plan.layer[plan.layers - 2]),
        shared_(shared),
        input_(panel(plan.input, plan.layer[0].inputs + 1)),
        pairs_(at<Pair>(plan.pairs)),
        costs_(at<double>(plan.costs)),
        adam_(at<AdamStep>(plan.adam)) {}

  __device__ void run() {
    load();
    const std::int64_t before = *training_.step;
    cluster_.sync();
    const std::int64_t step = run_epochs(
        args_, plan_.batches.batch, before,
        [&](const BatchPlace& place, std::int64_t number) { return take_step(place, number); },
        [&](std::int64_t epoch, double cost) {
          if (rank_ != 0) return;  // the costs are the same in every block
          mean_cost(team_, cost, costs_, plan_.cost_count, training_.pairs.count,
                    training_.loss_value + epoch);
        });
    cluster_.sync();  // no block may end, nor the step count change, while another reads it
    store();
    if (rank_ == 0 && team_.rank() == 0) *training_.step = step;
  }

 private:
  /// The units of a hidden layer that a block owns.
  struct Slice {
    int begin;
    int count;
  };

  __device__ Slice slice(const ClusterLayer& layer) const {
    const int begin = min(rank_ * layer.units, layer.outputs);
    return {begin, min(layer.units, layer.outputs - begin)};
  }

  template <class E>
  __device__ E* at(std::int64_t offset) const {
    return reinterpret_cast<E*>(shared_ + offset);
  }
  __device__ Panel<T> panel(std::int64_t offset, int columns) const {
    return {at<T>(offset), static_cast<int>(panel_stride<T>(columns))};
  }
  /// Panel `index` of several of one size.
  __device__ Panel<T> panel(std::int64_t offset, int index, int columns) const {
    return panel(offset + index * panel_bytes<T>(plan_.batches.most_rows, columns), columns);
  }
  /// The same, its rows without padding, for what is written and read by elements alone.
  __device__ Panel<T> dense(std::int64_t offset, int index, int columns) const {
    return {panel(offset, index, columns).data, columns};
  }
  /// The same panel in another block.
  __device__ Panel<T> remote(const Panel<T>& own, int block) const {
    return {cluster_.map_shared_rank(own.data, static_cast<unsigned>(block)), own.stride};
  }

  __device__ bool is_last(const ClusterLayer& layer) const { return &layer == &last_; }
  __device__ int weight_columns(const ClusterLayer& layer) const {
    return is_last(layer) ? layer.outputs : layer.units;
  }
  __device__ TrainedPanel<T> trained(const ClusterLayer& layer) const {
    const int columns = weight_columns(layer);
    return {panel(layer.weights, columns), panel(layer.m, columns), panel(layer.v, columns)};
  }
  __device__ Panel<T> gradient(const ClusterLayer& layer) const {
    return panel(layer.gradient, weight_columns(layer));
  }
  /// h_l: of all units in a step's turn, or of the own.
  __device__ Panel<T> output(const ClusterLayer& layer, int turn) const {
    const int columns = (layer.gathered ? layer.outputs : layer.units) + 1;
    return panel(layer.output, layer.gathered ? turn : 0, columns);
  }
  /// What layer l multiplies. Chosen by place: of a pointer that is one of two the compiler no
  /// longer knows that both are to shared memory.
  __device__ Panel<T> input(int l, int turn) const {
    const ClusterLayer& below = plan_.layer[max(l - 1, 0)];
    const bool first = l == 0;
    return panel(
        first ? plan_.input : below.output, !first && below.gathered ? turn : 0,
        first ? plan_.layer[0].inputs + 1 : (below.gathered ? below.outputs : below.units) + 1);
  }
  __device__ Panel<T> share(int turn, int block) const {
    return dense(plan_.shares, turn * cluster_blocks + block, last_.outputs);
  }

  /// Rows of the last layer's weights here: one for each own unit, and the bias in the first block.
  __device__ int last_rows() const { return slice(below_last_).count + (rank_ == 0 ? 1 : 0); }

  /// Calls use(place in the weights' panel, place in the flat buffers) for this thread's share of
  /// the block's weights.
  template <class Use>
  __device__ void for_each_weight(const ClusterLayer& layer, Use use) const {
    const bool last = is_last(layer);
    const Slice units = slice(last ? below_last_ : layer);
    const int rows = last ? last_rows() : layer.inputs + 1;
    const int columns = last ? layer.outputs : units.count;
    const int stride = static_cast<int>(panel_stride<T>(weight_columns(layer)));
    const SmallDivisor by_columns(columns);
    for (int i = team_.rank(); i < rows * columns; i += team_.size()) {
      const int r = by_columns.quotient(i);
      const int c = i - r * columns;
      const int bias_or_unit = r < units.count ? units.begin + r : layer.inputs;
      const int row = last ? bias_or_unit : r;
      const int column = last ? c : units.begin + c;
      use(r * stride + c,
          layer.parameters + static_cast<std::int64_t>(row) * layer.outputs + column);
    }
  }

  __device__ void fill_ones(const Panel<T>& to, int k) const {
    for (int r = team_.rank(); r < plan_.batches.most_rows; r += team_.size()) {
      row_of(to, r)[k] = T(1);
    }
  }

  /// The merge's parameters.
  __device__ T* merge() const { return at<T>(plan_.merge); }
  __device__ T* merge_m() const { return merge() + plan_.merge_count; }
  __device__ T* merge_v() const { return merge_m() + plan_.merge_count; }

  /// Calls use(place here, place in the flat buffers) for this thread's share of them.
  template <class Use>
  __device__ void for_each_of_merge(Use use) const {
    for (int q = team_.rank(); q < plan_.merge_count; q += team_.size()) {
      use(q, plan_.merge_parameters + q);
    }
  }

  __device__ void load() const {
    for_each_of_merge([&](int here, std::int64_t there) {
      merge()[here] = training_.parameters[there];
      merge_m()[here] = training_.m[there];
      merge_v()[here] = training_.v[there];
    });
    for (int l = 0; l < plan_.layers; ++l) {
      const ClusterLayer& layer = plan_.layer[l];
      const TrainedPanel<T> to = trained(layer);
      for_each_weight(layer, [&](int here, std::int64_t there) {
        to.weights.data[here] = training_.parameters[there];
        to.m.data[here] = training_.m[there];
        to.v.data[here] = training_.v[there];
      });
      if (is_last(layer)) continue;
      const int ones = layer.gathered ? layer.outputs : slice(layer).count;
      fill_ones(output(layer, 0), ones);
      if (layer.gathered) fill_ones(output(layer, 1), ones);
    }
    const int width = plan_.layer[0].inputs;
    fill_ones(input_, width);
    if (plan_.batches.own_rows) return;
    for (int i = team_.rank(); i < plan_.batches.most_rows * width; i += team_.size()) {
      row_of(input_, i / width)[i % width] = training_.x[i];
    }
  }

  __device__ void store() const {
    for_each_of_merge([&](int here, std::int64_t there) {
      if (rank_ != 0) return;
      training_.parameters[there] = merge()[here];
      training_.m[there] = merge_m()[here];
      training_.v[there] = merge_v()[here];
    });
    for (int l = 0; l < plan_.layers; ++l) {
      const TrainedPanel<T> from = trained(plan_.layer[l]);
      for_each_weight(plan_.layer[l], [&](int here, std::int64_t there) {
        training_.parameters[there] = from.weights.data[here];
        training_.m[there] = from.m.data[here];
        training_.v[there] = from.v.data[here];
      });
    }
  }

  /// Returns the costs of this thread's pairs.
  __device__ double take_step(const BatchPlace& place, std::int64_t step) const {
    const int rows = plan_.batches.own_rows ? 2 * place.count : plan_.batches.most_rows;
    const int turn = static_cast<int>(step % 2);
    const bool first = place.is_first();
    if (first && team_.rank() == 0) *adam_ = adam_step_at(training_.adam, step);
    if (first || (plan_.batches.own_rows && plan_.batches.shuffled)) {
      gather(place);
      team_.sync();
    }
    forward_hidden(rows, turn);
    const Panel<T> e = embed(rows, turn);
    const Merge<distance, T> weights(merge(), last_.outputs);
    const double cost =
        cost_pairs(team_, training_.loss, place.count, last_.outputs, e, weights, pairs_);
    team_.sync();
    embedding_gradient(team_, plan_.batches, place.count, rows, last_.outputs, last_.activation, e,
                       weights, pairs_, gradient(last_));
    team_.sync();
    update_merge(team_, place.count, last_.outputs, e, pairs_, training_.adam, *adam_, merge(),
                 merge_m(), merge_v());
    backward(rows, turn, place, step);
    return cost;
  }

  __device__ void gather(const BatchPlace& place) const {
    gather_batch(team_, args_, plan_.batches, plan_.layer[0].inputs, place, pairs_, input_);
  }

  /// The pairs of the batch behind `place`, which no one reads until the next step costs them,
  /// unless they bring rows of x: this step's are yet to be read, by the update of W_1. Where every
  /// step has all pairs, the first step's stay.
  __device__ void gather_ahead(const BatchPlace& place) const {
    if (plan_.batches.own_rows || !plan_.batches.shuffled) return;
    const int batch = plan_.batches.batch;
    gather(batch_at(args_, batch, place.epoch, place.begin + batch));
  }

  __device__ void forward_hidden(int rows, int turn) const {
    for (int l = 0; l < plan_.layers - 1; ++l) {
      const ClusterLayer& layer = plan_.layer[l];
      const Slice units = slice(layer);
      const Panel<T> h = output(layer, turn);
      multiply(team_, rows, layer.inputs + 1, units.count, input(l, turn), trained(layer).weights,
               [&](int r, int c, T z) {
                 const T value = activate(layer.activation, z);
                 if (!layer.gathered) {
                   row_of(h, r)[c] = value;
                   return;
                 }
                 for (int block = 0; block < cluster_blocks; ++block) {
                   row_of(remote(h, block), r)[units.begin + c] = value;
                 }
               });
      if (layer.gathered) {
        cluster_.sync();
      } else {
        team_.sync();
      }
    }
  }

  /// E [rows, d], from every block's share of z_L.
  __device__ Panel<T> embed(int rows, int turn) const {
    const int width = last_.outputs;
    const Panel<T> own = share(turn, rank_);
    // In all blocks but the first the row for the bias is 0.
    multiply(team_, rows, slice(below_last_).count + 1, width, output(below_last_, turn),
             trained(last_).weights, [&](int r, int c, T z) {
               for (int block = 0; block < cluster_blocks; ++block) {
                 row_of(remote(own, block), r)[c] = z;
               }
             });
    cluster_.sync();
    const Panel<T> e{at<T>(plan_.embeddings), embedding_stride(width)};
    const SmallDivisor by_width(width);
    for (int i = team_.rank(); i < rows * width; i += team_.size()) {
      const int r = by_width.quotient(i);
      const int c = i - r * width;
      T z = T(0);
      for (int block = 0; block < cluster_blocks; ++block) z += row_of(share(turn, block), r)[c];
      row_of(e, r)[c] = activate(last_.activation, z);
    }
    team_.sync();
    return e;
  }

  __device__ void backward(int rows, int turn, const BatchPlace& place, std::int64_t step) const {
    const AdamConstants<T> adam(training_.adam, *adam_);
    {
      const Panel<T> h = output(below_last_, turn);
      const Panel<T> dz = gradient(below_last_);
      multiply_transposed(team_, rows, last_.outputs, slice(below_last_).count, gradient(last_),
                          trained(last_).weights, [&](int r, int k, T dh) {
                            row_of(dz, r)[k] =
                                dh * activation_derivative(below_last_.activation, row_of(h, r)[k]);
                          });
      team_.sync();
      // The next step's, by the thread that is the likeliest to have no tile.
      if (team_.rank() == team_.size() - 1) *adam_ = adam_step_at(training_.adam, step + 1);
      update_weights(team_, rows, last_rows(), last_.outputs, h, gradient(last_), adam,
                     trained(last_));
    }
    for (int l = plan_.layers - 2; l >= 0; --l) {
      if (l > 0) {
        send_input_gradient(rows, l);
        team_.sync();  // W_l has been read
        static_cast<void>(cluster_.barrier_arrive());
      }
      if (l == plan_.layers - 2) gather_ahead(place);
      update(rows, l, turn, adam);
      if (l > 0) {
        cluster_.barrier_wait();
        receive_gradient(rows, plan_.layer[l - 1], turn);
      }
      team_.sync();
    }
  }

  /// W_l of a hidden layer.
  __device__ void update(int rows, int l, int turn, const AdamConstants<T>& adam) const {
    const ClusterLayer& layer = plan_.layer[l];
    update_weights(team_, rows, layer.inputs + 1, slice(layer).count, input(l, turn),
                   gradient(layer), adam, trained(layer));
  }

  /// The own units' share of dLoss/dh_{l-1}, each column to its owner.
  __device__ void send_input_gradient(int rows, int l) const {
    const ClusterLayer& layer = plan_.layer[l];
    const ClusterLayer& below = plan_.layer[l - 1];
    const Panel<T> to = dense(below.received, rank_, below.units);
    const SmallDivisor by_units(below.units);
    multiply_transposed(team_, rows, slice(layer).count, layer.inputs, gradient(layer),
                        trained(layer).weights, [&](int r, int k, T dh) {
                          const int owner = by_units.quotient(k);
                          row_of(remote(to, owner), r)[k - owner * below.units] = dh;
                        });
  }

  /// dLoss/dz of a layer's own units from every block's share, in order.
  __device__ void receive_gradient(int rows, const ClusterLayer& layer, int turn) const {
    const Slice units = slice(layer);
    const Panel<T> h = output(layer, turn);
    const Panel<T> dz = gradient(layer);
    const SmallDivisor by_units(units.count);
    for (int i = team_.rank(); i < rows * units.count; i += team_.size()) {
      const int r = by_units.quotient(i);
      const int c = i - r * units.count;
      T dh = T(0);
      for (int block = 0; block < cluster_blocks; ++block) {
        dh += row_of(dense(layer.received, block, layer.units), r)[c];
      }
      row_of(dz, r)[c] =
          dh * activation_derivative(layer.activation, row_of(h, r)[units.begin + c]);
    }
  }

  cooperative_groups::cluster_group cluster_ = cooperative_groups::this_cluster();
  BlockTeam team_;
  int rank_;  // of this block
  const FitArgs<T>& args_;
  const TrainStepArgs<T>& training_;
  const ClusterPlan& plan_;
  const ClusterLayer& last_;
  const ClusterLayer& below_last_;
  std::byte* shared_;
  Panel<T> input_;
  Pair* pairs_;
  double* costs_;
  AdamStep* adam_;
};

#endif

}  // namespace siamese::cuda
