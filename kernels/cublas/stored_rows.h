#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime_api.h>

#include <cstdint>
#include <span>

#include "kernels/ops.h"
#include "model/parameters.h"

// What products that keep their matrices in bf16 leave to do between two of them, a launch each. n
// is `points`. A stored matrix has rows of `pitch` elements, a multiple of 8, so that they are read
// 16 bytes at a time. h_l [n, pitch], with X for h_0, has in its first columns the d_l of the
// layer, then a 1 and then zeros: [h_l, 1] is what the gradient of the next layer's W and b, one
// below the other, is a product with. dz_l [n, pitch] is 0 behind d_l.

namespace siamese::cublas {

/// x [n, d], rounded and stored as h_0.
void launch_store_input(std::int64_t points, std::int64_t d, const float* x, __nv_bfloat16* h,
                        std::int64_t pitch, cudaStream_t stream);

/// The image of a layer's parameters: W [inputs, outputs] in [input_pitch, output_pitch] with zeros
/// around, and below it one row more: b, then a 1, then zeros, with which relu makes the 1 behind
/// h.
struct ParametersImage {
  LayerView<const float> of;
  std::int64_t inputs;
  std::int64_t outputs;
  __nv_bfloat16* image;
  std::int64_t input_pitch;
  std::int64_t output_pitch;
};

void launch_store_parameters(std::span<const ParametersImage> layers, cudaStream_t stream);

/// z [n, pitch] by W alone, then act(z + b) stored as h_l.
void launch_store_activations(std::int64_t points, const Layer& layer, const float* z,
                              const float* bias, __nv_bfloat16* h, std::int64_t pitch,
                              cudaStream_t stream);

/// z [n, pitch] by W alone, then E [n, d] = act(z + b) in float32.
void launch_embeddings(std::int64_t points, const Layer& layer, const float* z, std::int64_t pitch,
                       const float* bias, float* embeddings, cudaStream_t stream);

/// G and E [n, d], then dz_L = G * act'(E), rounded and stored.
void launch_store_last_dz(const PairBackwardArgs<float>& args, __nv_bfloat16* dz,
                          std::int64_t pitch, cudaStream_t stream);

/// dh and h [n, pitch] of a layer, then dz = dh * act'(h), rounded and stored.
void launch_store_dz(std::int64_t points, const Layer& layer, const float* dh,
                     const __nv_bfloat16* h, __nv_bfloat16* dz, std::int64_t pitch,
                     cudaStream_t stream);

}  // namespace siamese::cublas
