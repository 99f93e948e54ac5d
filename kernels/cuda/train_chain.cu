// The first kernel of the training step on warpgroups: stripes of pairs forward to the loss and
// back to dz_1, all weights in bf16 in shared memory. Of a stripe [64 rows] a warpgroup holds
//   h_1 [64, d1], dz_3 [64, 16], h_2 [64, d2], x [64, 16]
// in shared memory; dz_2 and dz_1 take the places of h_2 and h_1. The outer layers' gradients stay
// in registers over all stripes. The middle layer's would not find room: of it, dz_2 and x go to
// memory for the second kernel (train_middle.cu), by a bulk copy while dz_1 is made.
//
// x has a column of ones behind its last, and so has h_2: the row of a weight's gradient that
// belongs to it is the bias's gradient. The weights' row there is 0. That of h_2 comes of itself,
// by the bias of its unit.

#include <iterator>

#include "kernels/cuda/activation_pair.cuh"
#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/train_wgmma_kernels.h"
#include "kernels/cuda/weight_blocks.cuh"
#include "kernels/cuda/wgmma.cuh"
#include "kernels/cuda/wgmma_twin.cuh"

namespace siamese::cuda {
namespace {

constexpr int chain_threads = chain_groups * warpgroup::group_threads;
constexpr int outer_tiles = most_middle_columns / warpgroup::rows;

/// The gradient [d, 16] of an outer layer, or its transpose, by tiles of 64 rows. Where the last
/// tile would go past the end it overlaps the one before.
using OuterSums = float[outer_tiles][2][4];

/// sums += H^T other, H [64, columns], other [64, 16].
template <class Multiplier>
__device__ void add_outer(const warpgroup::Blocks& h, int columns, const warpgroup::Blocks& other,
                          OuterSums& sums) {
  Multiplier::begin(sums);
#pragma unroll
  for (int tile = 0; tile < outer_tiles; ++tile) {
    const int column = min(tile * warpgroup::rows, columns - warpgroup::rows);
    warpgroup::Operand<Multiplier, true> a(h, 0, column);
    warpgroup::Operand<Multiplier, true> b(other, 0, 0);
#pragma unroll
    for (int s = 0; s < stripe_rows / warpgroup::depth; ++s) {
      Multiplier::multiply_add(a, b, sums[tile]);
      a.step();
      b.step();
    }
  }
  Multiplier::finish(sums);
}

/// use(row, column, sum) for each element of the sums, which this thread has, once.
template <class Use>
__device__ void each_outer(const OuterSums& sums, int columns, int first_row, Use use) {
  const int lane = own_lane();
#pragma unroll
  for (int tile = 0; tile < outer_tiles; ++tile) {
    const int begin = tile * warpgroup::rows;
    const int row = min(begin, columns - warpgroup::rows) + first_row + lane / 4;
#pragma unroll
    for (int t = 0; t < 2; ++t) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int at = row + i / 2 * 8;
        if (at >= begin) use(at, t * 8 + lane % 4 * 2 + i % 2, sums[tile][t][i]);
      }
    }
  }
}

/// A warpgroup of the first kernel.
template <class Multiplier>
class TrainChain {
 public:
  __device__ TrainChain(const TrainPlan& plan, const TrainStepArgs<float>& args,
                        unsigned char* shared, unsigned char* records)
      : plan_(plan),
        args_(args),
        shared_(shared),
        records_(records),
        group_(warpgroup::group_of_thread()),
        lane_(own_lane()),
        first_row_(own_warp() % warpgroup::group_warps * 16),
        rows_(reinterpret_cast<std::uint32_t*>(shared + plan.chain_group +
                                               group_ * plan.chain_group_bytes)) {}

  __device__ void run() {
    const std::int64_t groups = static_cast<std::int64_t>(gridDim.x) * chain_groups;
    for (std::int64_t stripe = blockIdx.x * chain_groups + group_; stripe < plan_.stripes;
         stripe += groups) {
      stripe_ = stripe;
      load_points();
      Multiplier::meet(group_);
#pragma unroll 1  // half the code, here and for the way back
      for (int l = 0; l < 2; ++l) {
        forward(plan_.layer[l], rows(l), rows(l + 1));
        Multiplier::meet(group_);
      }
      lose();
      Multiplier::meet(group_);
      add_outer<Multiplier>(rows(2), plan_.layer[1].columns, rows(3), last_);
      Multiplier::meet(group_);  // now h_2 may be overwritten
#pragma unroll 1
      for (int l = 2; l > 0; --l) {
        backward(plan_.layer[l], plan_.layer[l - 1].activation, rows(l + 1), rows(l));
        if (l == 2) fence_async_proxy();
        Multiplier::meet(group_);
        if (l == 2 && copies()) {
          bulk_copy_out(records_ + stripe * plan_.record_bytes(), rows(2).pairs,
                        plan_.record_bytes());
        }
      }
      add_outer<Multiplier>(rows(1), plan_.layer[0].columns, rows(0), first_);
      if (copies()) wait_for_copies_out();
      Multiplier::meet(group_);  // now x and dz_2 may be overwritten
    }
  }

  /// [W_1; b_1] and [W_3; b_3] of this warpgroup's stripes, as the flat layout has them.
  __device__ void store_gradients(float* part) const {
    const FusedLayer& first = plan_.layer[0];
    each_outer(first_, first.columns, first_row_, [&](int unit, int input, float sum) {
      if (unit < first.outputs && input <= first.inputs) part[input * first.outputs + unit] = sum;
    });
    part += plan_.parameters(0);
    const FusedLayer& last = plan_.layer[2];
    each_outer(last_, plan_.layer[1].columns, first_row_, [&](int unit, int output, float sum) {
      if (unit <= last.inputs && output < last.outputs) part[unit * last.outputs + output] = sum;
    });
  }

  __device__ double cost() const { return cost_; }
  __device__ int group() const { return group_; }

 private:
  /// The thread of the warpgroup that copies its records.
  __device__ bool copies() const { return threadIdx.x % warpgroup::group_threads == 0; }

  /// x, h_1, h_2 or dz_3. They lie as h_1, dz_3, h_2, x, so that a record, dz_2 and x, is in one.
  __device__ warpgroup::Blocks rows(int l) const {
    int columns = 0;  // that lie before
    if (l != 1) columns += plan_.layer[0].columns;
    if (l == 0 || l == 2) columns += outer_columns;
    if (l == 0) columns += plan_.layer[1].columns;
    return {rows_ + stripe_rows / 2 * columns, stripe_rows};
  }

  /// The pair of the lane's rows.
  __device__ std::int64_t pair() const {
    return stripe_ * stripe_pairs + first_row_ / 2 + lane_ / 4;
  }

  /// What sums of a layer begin from: the biases of the lane's columns of a block.
  __device__ auto bias_from(const FusedLayer& layer) const {
    const auto* own = reinterpret_cast<const float*>(shared_ + layer.bias) + lane_ % 4 * 2;
    return [own](int first) { return *reinterpret_cast<const float2*>(own + first); };
  }

  /// x of the stripe's points and its column of ones; all 0 where there is no pair.
  __device__ void load_points() const {
    const int inputs = plan_.layer[0].inputs;
    const bool exists = pair() < plan_.pairs;
    const PointPair points = exists ? points_of(args_.pairs, pair()) : PointPair{};
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float* const row = args_.x + (i == 0 ? points.first : points.second) * inputs;
      const auto element = [&](int column) {
        if (!exists || column > inputs) return 0.0F;
        return column < inputs ? row[column] : 1.0F;
      };
#pragma unroll
      for (int first = 0; first < outer_columns; first += 8) {
        const int column = first + lane_ % 4 * 2;
        rows(0).own_pair(first_row_ + i * 8, first) =
            mma::bf16_pair(element(column), element(column + 1));
      }
    }
  }

  /// to = act(from W + b).
  __device__ void forward(const FusedLayer& layer, const warpgroup::Blocks& from,
                          const warpgroup::Blocks& to) const {
    warpgroup::multiply_all<Multiplier, true>(
        from, fused::weight_blocks(layer, shared_), layer.depth / warpgroup::depth, layer.columns,
        bias_from(layer), [&](int first, const auto& sums) {
          with_activation(layer.activation, [&](auto activation) {
#pragma unroll
            for (int t = 0; t < static_cast<int>(std::size(sums)); ++t) {
#pragma unroll
              for (int i = 0; i < 2; ++i) {
                to.own_pair(first_row_ + i * 8, first + t * 8) =
                    activated_pair<activation.value>(sums[t][i * 2], sums[t][i * 2 + 1]);
              }
            }
          });
        });
  }

  /// The column of element k of two in the lane's block t of E and dz_3.
  __device__ int outer_column(int t, int k) const { return t * 8 + lane_ % 4 * 2 + k; }

  /// E, the cost of the stripe's pairs, and dz_3, all in registers but for dz_3's place.
  __device__ void lose() {
    const FusedLayer& layer = plan_.layer[2];
    warpgroup::Sums<2> e;
    warpgroup::start_sums(bias_from(layer), 0, e);
    warpgroup::multiply<Multiplier>(
        warpgroup::Operand<Multiplier, false>(rows(2), 0, 0),
        warpgroup::Operand<Multiplier, true>(fused::weight_blocks(layer, shared_), 0, 0),
        layer.depth / warpgroup::depth, e);
    with_activation(layer.activation, [&](auto activation) {
#pragma unroll
      for (int t = 0; t < 2; ++t) {
#pragma unroll
        for (int i = 0; i < 4; ++i) e[t][i] = activate(activation.value, e[t][i]);
      }
    });
    cost_ += by_unweighted_distance(args_.loss.distance,
                                    [&](auto distance) { return lose_by<distance.value>(e); });
  }

  /// dz_3 from E, whose rows 8 apart are a pair; returns what it costs, in one of its lanes.
  template <Distance distance>
  __device__ double lose_by(const warpgroup::Sums<2>& e) const {
    const FusedLayer& layer = plan_.layer[2];
    PairDistance<distance, float> d;
#pragma unroll
    for (int t = 0; t < 2; ++t) {
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        if (outer_column(t, k) < layer.outputs) d.add(e[t][k], e[t][2 + k]);
      }
    }
    d.group_sum(4);
    const bool exists = pair() < plan_.pairs;
    const auto c = cuda::cost(args_.loss, d.finish(), exists ? args_.pairs.targets[pair()] : 0.0F);
    float factor = 0.0F;
    if (exists) {
      const PointPair points = points_of(args_.pairs, pair());
      // Both halves of the gradient of a point with itself cancel.
      if (points.first != points.second) {
        factor = static_cast<float>(1.0 / static_cast<double>(plan_.pairs)) * c.derivative;
      }
    }
#pragma unroll
    for (int t = 0; t < 2; ++t) {
      float a[2] = {};
      float b[2] = {};
#pragma unroll
      for (int k = 0; k < 2; ++k) {
        if (outer_column(t, k) >= layer.outputs) continue;
        const float first = e[t][k];
        const float second = e[t][2 + k];
        a[k] = factor * d.by_a(first, second) * activation_derivative(layer.activation, first);
        b[k] = factor * d.by_b(first, second) * activation_derivative(layer.activation, second);
      }
      rows(3).own_pair(first_row_, t * 8) = mma::bf16_pair(a[0], a[1]);
      rows(3).own_pair(first_row_ + 8, t * 8) = mma::bf16_pair(b[0], b[1]);
    }
    return exists && lane_ % 4 == 0 ? static_cast<double>(c.value) : 0.0;
  }

  /// h = (dz W^T) * act'(h).
  __device__ void backward(const FusedLayer& layer, Activation below, const warpgroup::Blocks& dz,
                           const warpgroup::Blocks& h) const {
    warpgroup::multiply_all<Multiplier, false>(
        dz, fused::weight_blocks(layer, shared_), layer.columns / warpgroup::depth, layer.depth,
        [](int) { return float2{}; },
        [&](int first, const auto& sums) {
          with_activation(below, [&](auto activation) {
#pragma unroll
            for (int t = 0; t < static_cast<int>(std::size(sums)); ++t) {
#pragma unroll
              for (int i = 0; i < 2; ++i) {
                std::uint32_t& place = h.own_pair(first_row_ + i * 8, first + t * 8);
                place = derived_pair<activation.value>(sums[t][i * 2], sums[t][i * 2 + 1], place);
              }
            }
          });
        });
  }

  const TrainPlan& plan_;
  const TrainStepArgs<float>& args_;
  unsigned char* shared_;
  unsigned char* records_;
  int group_;
  int lane_;
  int first_row_;        // of the warp, in a stripe
  std::uint32_t* rows_;  // the warpgroup's
  std::int64_t stripe_ = 0;
  double cost_ = 0.0;
  OuterSums first_ = {};  // transposed: units x inputs
  OuterSums last_ = {};   // units x outputs
};

template <class Multiplier>
__global__ void __launch_bounds__(chain_threads, 1)
    train_chain(const __grid_constant__ TrainPlan plan,
                const __grid_constant__ TrainStepArgs<float> args, const unsigned char* image,
                unsigned char* records,
                float* parts,  // [gridDim.x * chain_groups, outer parameters]
                double* costs  // [gridDim.x]
    ) {
  if constexpr (Multiplier::available) {
    extern __shared__ __align__(128) unsigned char shared[];
    bulk_copy_to_all(shared, image, plan.image_bytes);
    const FusedLayer& middle = plan.layer[1];
    if (threadIdx.x == 0) {
      reinterpret_cast<float*>(shared + middle.bias)[middle.outputs] =
          bias_of_one(middle.activation);
    }
    __syncthreads();
    TrainChain<Multiplier> chain(plan, args, shared, records);
    chain.run();
    const std::int64_t part = static_cast<std::int64_t>(blockIdx.x) * chain_groups + chain.group();
    chain.store_gradients(parts + part * (plan.parameters(0) + plan.parameters(2)));
    const double cost = block_sum<chain_threads>(chain.cost());
    if (threadIdx.x == 0) costs[blockIdx.x] = cost;
  } else {
    __trap();  // never launched: the variant refuses such devices
  }
}

}  // namespace

template <class Multiplier>
void allow_train_chain(const TrainPlan& plan) {
  allow_shared(train_chain<Multiplier>, plan.chain_shared_bytes, "train_chain");
}

template <class Multiplier>
void launch_train_chain(const TrainPlan& plan, const TrainStepArgs<float>& args,
                        const TrainStores& stores, cudaStream_t stream) {
  train_chain<Multiplier><<<static_cast<unsigned>(stores.chain_blocks), chain_threads,
                            static_cast<std::size_t>(plan.chain_shared_bytes), stream>>>(
      plan, args, stores.image, stores.records, stores.outer, stores.costs);
  SIAMESE_CHECK_LAUNCH("train_chain");
}

template void allow_train_chain<Wgmma>(const TrainPlan&);
template void launch_train_chain<Wgmma>(const TrainPlan&, const TrainStepArgs<float>&,
                                        const TrainStores&, cudaStream_t);

template void allow_train_chain<WgmmaTwin>(const TrainPlan&);
template void launch_train_chain<WgmmaTwin>(const TrainPlan&, const TrainStepArgs<float>&,
                                            const TrainStores&, cudaStream_t);

}  // namespace siamese::cuda
