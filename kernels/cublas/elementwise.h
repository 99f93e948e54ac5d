#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/multiples.h"
#include "model/network.h"

// What cuBLAS leaves to do between two products, a launch each. n is `points`.

namespace siamese::cublas {

/// In place: z [n, outputs], then h = act(z + b), b [outputs].
void launch_add_bias_activate(std::int64_t points, std::int64_t outputs, Activation activation,
                              const float* bias, float* h, cudaStream_t stream);

/// In place: z [count], then h = act(z).
void launch_activate(std::int64_t count, Activation activation, float* h, cudaStream_t stream);

/// In place: dh [count], then dz = dh * act'(z), with h = act(z).
void launch_times_derivative(std::int64_t count, Activation activation, const float* h, float* dz,
                             cudaStream_t stream);

/// Bits of a row of a mask as cuBLASLt reads it: a multiple of 128.
constexpr std::int64_t mask_bits(std::int64_t width) { return round_up(width, 128); }

/// mask [n, mask_bits(width) / 32]: bit c of a row, low bits of a word first, is h(row, c) > 0, of
/// h [n, width] in float32 or bf16.
template <class T>
void launch_positive_mask(std::int64_t points, std::int64_t width, const T* h, std::uint32_t* mask,
                          cudaStream_t stream);

}  // namespace siamese::cublas
