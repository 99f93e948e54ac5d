#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/train_wgmma_plan.h"
#include "kernels/ops.h"

namespace siamese::cuda {

/// Where the kernels of a step put what they make, and on how many blocks.
struct TrainStores {
  const unsigned char*
      image;  ///< of the parameters as the first kernel keeps them; the second takes W_1 from it
  unsigned char* records;  ///< [stripes, record_bytes]
  std::int64_t chain_blocks;
  float* outer;   ///< [chain_blocks * chain_groups, outer parameters], W_1, b_1, W_3, b_3
  double* costs;  ///< [chain_blocks], their sum that of all pairs
  std::int64_t middle_blocks;
  float* middle;  ///< [middle_blocks, middle parameters], W_2, b_2
};

// The Multipliers (warpgroup.cuh) that there are kernels for.
struct Wgmma;
struct WgmmaTwin;

/// Once before launching, for a plan: throw UsageError where the device has too little shared
/// memory.
template <class Multiplier>
void allow_train_chain(const TrainPlan& plan);
template <class Multiplier>
void allow_train_middle(const TrainPlan& plan);

/// x, image -> records, outer, costs.
template <class Multiplier>
void launch_train_chain(const TrainPlan& plan, const TrainStepArgs<float>& args,
                        const TrainStores& stores, cudaStream_t stream);

/// records, image -> middle.
template <class Multiplier>
void launch_train_middle(const TrainPlan& plan, const TrainStores& stores, cudaStream_t stream);

}  // namespace siamese::cuda
