#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>

#include "kernels/cuda/check.h"
#include "kernels/ops.h"

namespace siamese::cuda {

/// Sets what distance_loss leaves to 0, on `stream`: for kernels that add to it.
template <class T>
void clear_loss(const DistanceLossArgs<T>& args, cudaStream_t stream) {
  const auto clear = [stream](T* values, std::int64_t count) {
    if (count == 0) return;
    SIAMESE_CHECK_CUDA(
        cudaMemsetAsync(values, 0, static_cast<std::size_t>(count) * sizeof(T), stream));
  };
  SIAMESE_CHECK_CUDA(cudaMemsetAsync(args.loss_value, 0, sizeof(double), stream));
  clear(args.gradient, args.points * args.width);
  clear(args.merge_gradient, merge_parameters(args.loss.distance, args.width));
}

}  // namespace siamese::cuda
