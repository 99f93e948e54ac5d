// The second kernel of the training step on warpgroups: [dW_2; db_2] [d1 + 1, d2] = [h_1 1]^T dz_2.
// h_1 is made again from x, which is cheaper than to move it: a warpgroup takes 64 units and makes
// (h_1)^T [64, 64 rows] = W_1^T x^T, whose sums are, rounded, its next A in registers. W_1 comes
// from the image that the first kernel copies, the units of a block alone. dz_2 [64 rows, d2] is B
// as the first kernel left it. The sums [64, d2] stay in registers over all stripes of the block.
//
// One warpgroup only copies: records come in a ring of `middle_ring` in shared memory, filled by
// bulk copies and handed back when both others have used them. With wgmma it gives its registers to
// them; its twin makes A of 16 rows at a time instead, for which each thread's own suffice.

#include "kernels/cuda/activation_pair.cuh"
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/fused.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/train_wgmma_kernels.h"
#include "kernels/cuda/wgmma.cuh"
#include "kernels/cuda/wgmma_twin.cuh"

namespace siamese::cuda {
namespace {

constexpr int middle_threads = (1 + middle_groups) * warpgroup::group_threads;

/// The ring of records in shared memory: a stage is full when its copy has arrived, and empty when
/// the multiplying warpgroups have read it.
struct RecordRing {
  CopyBarrier full[middle_ring];
  CopyBarrier empty[middle_ring];

  __device__ void init() {
    for (CopyBarrier& barrier : full) barrier.init(1);
    for (CopyBarrier& barrier : empty) barrier.init(middle_groups * warpgroup::group_threads);
    publish_barriers();
  }
};

/// W_1 [16, units of the block] in blocks from those of the image, zeros behind its last unit.
template <class Multiplier>
__device__ void copy_weights(const FusedLayer& layer, const unsigned char* image, int first_unit,
                             unsigned char* shared) {
  constexpr int of_unit = outer_columns * 2 / 16;  // uint4, on the average of 8 units
  const auto* const from = reinterpret_cast<const uint4*>(image + layer.weights);
  const int first = first_unit * of_unit;
  for (int i = static_cast<int>(threadIdx.x); i < middle_units * of_unit; i += middle_threads) {
    const bool exists = first + i < layer.columns * of_unit;
    reinterpret_cast<uint4*>(shared)[i] = exists ? from[first + i] : uint4{};
  }
  Multiplier::fence_stores();
}

/// The stripes of this block, in order: use(number of the stripe in the block, stripe).
template <class Use>
__device__ void each_stripe(const TrainPlan& plan, Use use) {
  unsigned round = 0;
  for (std::int64_t stripe = blockIdx.x; stripe < plan.stripes; stripe += gridDim.x) {
    use(round++, stripe);
  }
}

__device__ void copy_records(const TrainPlan& plan, const unsigned char* records,
                             unsigned char* stages, RecordRing& ring) {
  each_stripe(plan, [&](unsigned round, std::int64_t stripe) {
    const auto stage = static_cast<int>(round % middle_ring);
    const unsigned lap = round / middle_ring;
    if (lap > 0) ring.empty[stage].wait(lap - 1);
    ring.full[stage].arrive_with_copy(stages + stage * plan.record_bytes(),
                                      records + stripe * plan.record_bytes(), plan.record_bytes());
  });
}

/// Of `count` x 8 `blocks` columns, for the units from `first_unit` on, which in shared memory
/// begin at `own_column` of W_1.
template <class Multiplier, int count, int blocks>
__device__ void multiply_records(const TrainPlan& plan, const unsigned char* image,
                                 unsigned char* shared, RecordRing& ring, int first_unit,
                                 int own_column, float* part) {
  constexpr int columns = count * blocks * 8;
  const int lane = own_lane();
  const int warp = own_warp() % warpgroup::group_warps;
  const int own_unit = first_unit + warp * 16 + lane / 4;  // and that 8 below
  const FusedLayer& layer = plan.layer[0];
  const warpgroup::Blocks w{reinterpret_cast<std::uint32_t*>(shared), outer_columns};
  const warpgroup::Operand<Multiplier, true> weights(w, 0, own_column);
  const auto* const bias = reinterpret_cast<const float*>(image + layer.bias);
  const auto bias_of = [&](int unit) {  // behind the last comes that of ones; more are not stored
    return unit < layer.outputs ? bias[unit] : bias_of_one(layer.activation);
  };
  const float own_bias[2] = {bias_of(own_unit), bias_of(own_unit + 8)};

  float sums[count][blocks][4] = {};
  each_stripe(plan, [&](unsigned round, std::int64_t) {
    const auto stage = static_cast<int>(round % middle_ring);
    ring.full[stage].wait(round / middle_ring);
    auto* const record =
        reinterpret_cast<std::uint32_t*>(shared + middle_stages + stage * plan.record_bytes());
    const warpgroup::Blocks dz{record, stripe_rows};
    const warpgroup::Blocks x{record + stripe_rows * columns / 2, stripe_rows};

    constexpr int taken = Multiplier::depth_at_once;  // of the stripe's rows
    for (int first = 0; first < stripe_rows; first += taken) {
      warpgroup::Sums<taken / 8> z;
#pragma unroll
      for (int t = 0; t < taken / 8; ++t) {
#pragma unroll
        for (int i = 0; i < 4; ++i) z[t][i] = own_bias[i / 2];
      }
      warpgroup::multiply<Multiplier>(weights, warpgroup::Operand<Multiplier, false>(x, first, 0),
                                      outer_columns / warpgroup::depth, z);
      warpgroup::Rows<taken / warpgroup::depth> h;
      with_activation(layer.activation, [&](auto activation) {
#pragma unroll
        for (int t = 0; t < taken / 8; ++t) {
#pragma unroll
          for (int i = 0; i < 2; ++i) {
            h[t / 2][t % 2 * 2 + i] =
                activated_pair<activation.value>(z[t][i * 2], z[t][i * 2 + 1]);
          }
        }
      });
      Multiplier::begin(h, sums);
#pragma unroll
      for (int s = 0; s < taken / warpgroup::depth; ++s) {
#pragma unroll
        for (int c = 0; c < count; ++c) {
          const warpgroup::Operand<Multiplier, true> b(dz, first + s * warpgroup::depth,
                                                       c * blocks * 8);
          Multiplier::multiply_add(h[s], b, sums[c]);
        }
      }
      Multiplier::finish(h, sums);
    }
    ring.empty[stage].arrive();
  });

  const int outputs = plan.layer[1].outputs;
  const bool aligned = holds_pairs(part, outputs);
  const int own = lane % 4 * 2;  // the first of the lane's columns in each block
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const int unit = own_unit + i * 8;
    if (unit > layer.outputs) continue;
    float* const row = part + static_cast<std::int64_t>(unit) * outputs + own;
#pragma unroll
    for (int c = 0; c < count; ++c) {
#pragma unroll
      for (int t = 0; t < blocks; ++t) {
        fused::store_pair(row, (c * blocks + t) * 8, outputs - own, aligned,
                          {sums[c][t][i * 2], sums[c][t][i * 2 + 1]});
      }
    }
  }
}

/// Grid: x shares out the stripes, y the units.
template <class Multiplier, int count, int blocks>
__global__ void __launch_bounds__(middle_threads, 1)
    train_middle(const __grid_constant__ TrainPlan plan, const unsigned char* __restrict__ image,
                 const unsigned char* __restrict__ records,
                 float* __restrict__ parts  // [gridDim.x, middle parameters]
    ) {
  if constexpr (Multiplier::available) {
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ RecordRing ring;
    if (threadIdx.x == 0) ring.init();
    const int first_unit = static_cast<int>(blockIdx.y) * middle_units;
    copy_weights<Multiplier>(plan.layer[0], image, first_unit, shared);
    __syncthreads();

    const int group = warpgroup::group_of_thread();
    if (group == middle_groups) {
      Multiplier::template give_registers<40>();
      if (threadIdx.x % warpgroup::group_threads == 0) {
        copy_records(plan, records, shared + middle_stages, ring);
      }
    } else {
      Multiplier::template take_registers<232>();
      const int own_column = group * middle_tile;
      multiply_records<Multiplier, count, blocks>(plan, image, shared, ring,
                                                  first_unit + own_column, own_column,
                                                  parts + blockIdx.x * plan.parameters(1));
    }
  } else {
    __trap();  // never launched: the variant refuses such devices
  }
}

/// The kernel compiled for so many columns of dz_2.
using Kernel = void (*)(TrainPlan, const unsigned char*, const unsigned char*, float*);
template <class Multiplier>
Kernel kernel_for(int columns) {
  switch (columns) {
    case 64:
      return train_middle<Multiplier, 1, 8>;
    case 128:
      return train_middle<Multiplier, 2, 8>;
    case 208:
      return train_middle<Multiplier, 2, 13>;
    default:
      return train_middle<Multiplier, 4, 8>;
  }
}

}  // namespace

template <class Multiplier>
void allow_train_middle(const TrainPlan& plan) {
  allow_shared(kernel_for<Multiplier>(plan.layer[1].columns), plan.middle_shared_bytes,
               "train_middle");
}

template <class Multiplier>
void launch_train_middle(const TrainPlan& plan, const TrainStores& stores, cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(stores.middle_blocks),
                  static_cast<unsigned>(plan.middle_tiles));
  kernel_for<Multiplier>(
      plan.layer[1].columns)<<<grid, middle_threads,
                               static_cast<std::size_t>(plan.middle_shared_bytes), stream>>>(
      plan, stores.image, stores.records, stores.middle);
  SIAMESE_CHECK_LAUNCH("train_middle");
}

template void allow_train_middle<Wgmma>(const TrainPlan&);
template void launch_train_middle<Wgmma>(const TrainPlan&, const TrainStores&, cudaStream_t);

template void allow_train_middle<WgmmaTwin>(const TrainPlan&);
template void launch_train_middle<WgmmaTwin>(const TrainPlan&, const TrainStores&, cudaStream_t);

}  // namespace siamese::cuda
