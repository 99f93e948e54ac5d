#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/device.h"
#include "kernels/ops.h"

namespace siamese::cuda {

/// What the layer-wise backward rungs work in: dz of the layer at hand and of the one below, each
/// [n, widest layer].
template <class T>
struct BackwardWorkspace {
  Buffer<T> dz;
  Buffer<T> previous;

  explicit BackwardWorkspace(const PairBackwardArgs<T>& args) {
    dz = Buffer<T>(Device::cuda, args.points * args.network->greatest_outputs());
    previous = Buffer<T>(Device::cuda, dz.size());
  }
};

/// Gradients of no points: zeros.
void clear_gradients(const PairBackwardArgs<float>& args, cudaStream_t stream);

/// dz_L [n, d] = G * act_L'(z_L), on `stream`.
template <class T>
void launch_last_dz(const PairBackwardArgs<T>& args, T* dz, cudaStream_t stream);

}  // namespace siamese::cuda
