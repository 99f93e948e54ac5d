// The second kernel of the training step on warpgroups: [dW_2; db_2] [d1 + 1, d2] = [h_1 1]^T dz_2.
// h_1 is made again from x, which is cheaper than to move it: a warpgroup takes 64 units and makes
// (h_1)^T [64, 64 rows] = W_1^T x^T, whose sums are, rounded, its next A in registers.
// dz_2 [64 rows, d2] is B as the first kernel left it. The sums [64, d2] stay in registers over all
// stripes of the block.
//
// One warpgroup only copies: records come in a ring of `middle_ring` in shared memory, filled by
// bulk copies and handed back when both others have used them. With wgmma it gives its registers to
// them; its twin makes A of 16 rows at a time instead, for which each thread's own suffice.

#include "kernels/cuda/activation_pair.cuh"
#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/train_wgmma_kernels.h"
#include "kernels/cuda/weight_blocks.cuh"
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

/// The stripes of this block, in order: use(number of the stripe in the block, stripe).
template <class Use>
__device__ void each_stripe(const TrainPlan& plan, Use use) {
  std::int64_t round = 0;
  for (std::int64_t stripe = blockIdx.x; stripe < plan.stripes; stripe += gridDim.x) {
    use(round++, stripe);
  }
}

__device__ void copy_records(const TrainPlan& plan, const unsigned char* records,
                             unsigned char* stages, RecordRing& ring) {
  each_stripe(plan, [&](std::int64_t round, std::int64_t stripe) {
    const auto stage = static_cast<int>(round % middle_ring);
    const std::int64_t lap = round / middle_ring;
    if (lap > 0) ring.empty[stage].wait(lap - 1);
    ring.full[stage].arrive_with_copy(stages + stage * plan.record_bytes(),
                                      records + stripe * plan.record_bytes(), plan.record_bytes());
  });
}

/// Of `count` x 8 `blocks` columns.
template <class Multiplier, int count, int blocks>
__device__ void multiply_records(const TrainPlan& plan, const float* bias, unsigned char* shared,
                                 RecordRing& ring, int first_unit, float* part) {
  constexpr int columns = count * blocks * 8;
  const int lane = own_lane();
  const int warp = own_warp() % warpgroup::group_warps;
  const int own_unit = first_unit + warp * 16 + lane / 4;  // and that 8 below
  const FusedLayer& layer = plan.recomputed;
  const warpgroup::Operand<Multiplier, true> weights(fused::weight_blocks(layer, shared), 0,
                                                     first_unit);
  const auto bias_of = [&](int unit) {  // behind the last comes that of ones
    return unit == layer.outputs ? bias_of_one(layer.activation) : bias[unit];
  };
  const float own_bias[2] = {bias_of(own_unit), bias_of(own_unit + 8)};

  float sums[count][blocks][4] = {};
  each_stripe(plan, [&](std::int64_t round, std::int64_t) {
    const auto stage = static_cast<int>(round % middle_ring);
    ring.full[stage].wait(round / middle_ring);
    auto* const record =
        reinterpret_cast<std::uint32_t*>(shared + plan.middle_stages + stage * plan.record_bytes());
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
#pragma unroll
  for (int c = 0; c < count; ++c) {
#pragma unroll
    for (int t = 0; t < blocks; ++t) {
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const int unit = own_unit + i * 8;
        if (unit > layer.outputs) continue;
        fused::store_pair(part + static_cast<std::int64_t>(unit) * outputs,
                          (c * blocks + t) * 8 + lane % 4 * 2, outputs, aligned,
                          {sums[c][t][i * 2], sums[c][t][i * 2 + 1]});
      }
    }
  }
}

/// Grid: x shares out the stripes, y the units.
template <class Multiplier, int count, int blocks>
__global__ void __launch_bounds__(middle_threads, 1)
    train_middle(const __grid_constant__ TrainPlan plan, const float* __restrict__ parameters,
                 const unsigned char* __restrict__ records,
                 float* __restrict__ parts  // [gridDim.x, middle parameters]
    ) {
  if constexpr (Multiplier::available) {
    extern __shared__ __align__(128) unsigned char shared[];
    __shared__ RecordRing ring;
    if (threadIdx.x == 0) ring.init();
    const FusedLayer& layer = plan.recomputed;
    fused::load_weight_blocks(layer, parameters + layer.parameters, shared, middle_threads);
    Multiplier::fence_stores();
    fused::load_bias(layer, parameters + layer.parameters, shared, static_cast<int>(threadIdx.x),
                     middle_threads);
    __syncthreads();

    const int group = warpgroup::group_of_thread();
    if (group == middle_groups) {
      Multiplier::template give_registers<40>();
      if (threadIdx.x % warpgroup::group_threads == 0) {
        copy_records(plan, records, shared + plan.middle_stages, ring);
      }
    } else {
      Multiplier::template take_registers<232>();
      multiply_records<Multiplier, count, blocks>(
          plan, reinterpret_cast<const float*>(shared + layer.bias), shared, ring,
          (static_cast<int>(blockIdx.y) * middle_groups + group) * middle_tile,
          parts + blockIdx.x * plan.parameters(1));
    }
  } else {
    __trap();  // never launched: the variant refuses such devices
  }
}

/// The kernel compiled for so many columns of dz_2.
using Kernel = void (*)(TrainPlan, const float*, const unsigned char*, float*);
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
void launch_train_middle(const TrainPlan& plan, const float* parameters, const TrainStores& stores,
                         cudaStream_t stream) {
  const dim3 grid(static_cast<unsigned>(stores.middle_blocks),
                  static_cast<unsigned>(plan.middle_tiles()));
  kernel_for<Multiplier>(
      plan.layer[1].columns)<<<grid, middle_threads,
                               static_cast<std::size_t>(plan.middle_shared_bytes), stream>>>(
      plan, parameters, stores.records, stores.middle);
  SIAMESE_CHECK_LAUNCH("train_middle");
}

template void allow_train_middle<Wgmma>(const TrainPlan&);
template void launch_train_middle<Wgmma>(const TrainPlan&, const float*, const TrainStores&,
                                         cudaStream_t);

template void allow_train_middle<WgmmaTwin>(const TrainPlan&);
template void launch_train_middle<WgmmaTwin>(const TrainPlan&, const float*, const TrainStores&,
                                             cudaStream_t);

}  // namespace siamese::cuda
