#pragma once

#include <cstdint>

#include "kernels/cuda/fused.cuh"
#include "kernels/cuda/in_batches.cuh"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/weight_image.h"

namespace siamese::cuda::fused {

/// Makes the image, by all threads of the grid.
__device__ inline void make_image(const WeightImage& plan, const float* parameters,
                                  unsigned char* image) {
  for (int l = 0; l < plan.layers; ++l) {
    const FusedLayer& layer = plan.layer[l];
    const float* const from = parameters + layer.parameters;
    const PaddedMatrix weights(from, layer.inputs, layer.outputs);
    auto* const pairs = reinterpret_cast<std::uint32_t*>(image + layer.weights);
    const int across = layer.pitch / 2;
    const int down = layer.depth / 8;
    for (std::int64_t i = grid_thread(); i < layer.depth * across; i += grid_threads()) {
      const int at = static_cast<int>(i);
      const int block = at / warp_size;
      const bool lines = plan.form == WeightImage::Form::lines;
      const int row = lines ? at / across : block % down * 8 + at % warp_size / 4;
      const int column = lines ? at % across * 2 : block / down * 8 + at % 4 * 2;
      const float2 pair = weights.pair(row, column);
      pairs[at] = mma::bf16_pair(pair.x, pair.y);
    }
    load_bias(layer, from, image, static_cast<int>(grid_thread()),
              static_cast<int>(grid_threads()));
  }
}

/// Copies it to the beginning of shared memory, by all threads of the block, which then have to
/// meet.
__device__ inline void copy_image(const unsigned char* image, int bytes, unsigned char* shared) {
  const auto* const from = reinterpret_cast<const uint4*>(image);
  auto* const to = reinterpret_cast<uint4*>(shared);
  in_batches<load_batch>(
      static_cast<int>(threadIdx.x), threads, bytes / 16, [&](int i) { return from[i]; },
      [&](int i, uint4 value) { to[i] = value; });
}

}  // namespace siamese::cuda::fused
