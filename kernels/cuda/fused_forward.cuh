#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/fused.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"
#include "kernels/cuda/weight_image.cuh"
#include "kernels/multiples.h"

// What the fused rungs share: a block keeps all parameters in shared memory, copied from an image
// that a small launch makes first (weight_image.h), and each unit of its warps takes rows of X
// through layer after layer. How a unit multiplies is the rung's business, a class Chain with
//   static constexpr FusedForm form;
//   Chain(plan, shared)                           by every thread
//   static load_image(image, bytes, shared)       of the weights, by all threads of the block
//   unit(), first_row()                           of the warp; the first of its 16 rows in the unit
//   load(x, points, layer, row)                   the unit's rows of X from `row` on
//   multiply(layer, use)                          use(column, sums), sums [16, 8 blocks] of the
//                                                 warp's rows: C's of mma.cuh, side by side
//   keep(column, i, pair)                         an output in bf16, the lane's pair of the C at
//                                                 `column`; i = 1: of the row 8 below
//   turn(layer)                                   what was kept is the input of the next layer

namespace siamese::cuda::fused {

/// Bias and activation of sums: to global memory as they are, to the next layer in bf16.
template <class Chain, int blocks>
__device__ void finish(const FusedLayer& layer, const float* bias, std::int64_t points,
                       std::int64_t first_row, int first_column, const float (&sums)[blocks][4],
                       float* output, Chain& chain) {
  const int lane = own_lane();
  const bool aligned = holds_pairs(output, layer.outputs);
  with_activation(layer.activation, [&](auto activation) {
#pragma unroll
    for (int t = 0; t < blocks; ++t) {
      const int column = first_column + t * 8 + lane % 4 * 2;
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        const std::int64_t row = first_row + lane / 4 + i * 8;
        float h[2];
#pragma unroll
        for (int e = 0; e < 2; ++e) {
          h[e] = activate(activation.value, sums[t][i * 2 + e] + bias[column + e]);
        }
        if (row < points) {
          store_pair(output + row * layer.outputs, column, layer.outputs, aligned, h);
        }
        chain.keep(first_column + t * 8, i, mma::bf16_pair(h[0], h[1]));
      }
    }
  });
}

/// The forward pass of the points that are the block's.
template <class Chain>
__device__ void forward(const FusedPlan& plan, std::int64_t points, const float* x,
                        const unsigned char* image, float* hidden, float* embeddings,
                        unsigned char* shared) {
  Chain::load_image(image, plan.activations, shared);
  __syncthreads();

  Chain chain(plan, shared);
  constexpr std::int64_t block_rows = Chain::form.units * Chain::form.rows;
  std::int64_t row = blockIdx.x * block_rows + chain.unit() * Chain::form.rows;
  for (; row < points; row += gridDim.x * block_rows) {
    chain.load(x, points, plan.layer[0], row);
    float* output = hidden;
    for (int l = 0; l < plan.layers; ++l) {
      const FusedLayer& layer = plan.layer[l];
      if (l == plan.layers - 1) output = embeddings;
      const auto* const bias = reinterpret_cast<const float*>(shared + layer.bias);
      chain.multiply(layer, [&](int column, const auto& sums) {
        finish(layer, bias, points, row + chain.first_row(), column, sums, output, chain);
      });
      chain.turn(layer);
      output += points * layer.outputs;
    }
  }
}

/// Of a kernel with the parameters plan, points, x, image, hidden, embeddings. The image is made
/// even for no points: whoever shares it may read it for none.
template <class Kernel>
Launch prepare(const PairForwardArgs<float>& args, const FusedForm& form,
               const std::shared_ptr<const PlacedImage>& image, const FusedPlan& plan,
               Kernel kernel, const char* name) {
  allow_shared(kernel, plan.shared_bytes, name);
  return [=](Stream stream) {
    launch_weight_image(image->plan, args.parameters, image->place.data(), cuda_stream(stream));
    const std::int64_t tiles = ceil_div(args.points, form.units * form.rows);
    if (tiles == 0) return;
    const auto blocks = static_cast<unsigned>(std::min(tiles, device_limits().multiprocessors));
    kernel<<<blocks, threads, static_cast<std::size_t>(plan.shared_bytes), cuda_stream(stream)>>>(
        plan, args.points, args.x, image->place.data(), args.hidden, args.embeddings);
    SIAMESE_CHECK_LAUNCH("fused forward");
  };
}

}  // namespace siamese::cuda::fused
