#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/mma.cuh"

// Activations of two neighbours in a row, rounded to a pair of bf16. relu is free there: the
// conversion clamps, and its derivative is a comparison and a product of pairs.

namespace siamese::cuda {

/// (act(first), act(second)).
template <Activation activation>
__device__ std::uint32_t activated_pair(float first, float second) {
  if constexpr (activation == Activation::relu) {
    std::uint32_t pair;
    asm("cvt.rn.relu.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
  } else {
    return mma::bf16_pair(activate(activation, first), activate(activation, second));
  }
}

/// (first, second) * act'(z), told from the pair h = act(z).
template <Activation activation>
__device__ std::uint32_t derived_pair(float first, float second, std::uint32_t h) {
  if constexpr (activation == Activation::linear) {
    return mma::bf16_pair(first, second);
  } else if constexpr (activation == Activation::relu) {
    __nv_bfloat162 outputs;
    std::memcpy(&outputs, &h, sizeof h);
    const __nv_bfloat162 kept = __hgt2(outputs, __nv_bfloat162{0.0F, 0.0F});  // 1 or 0
    const __nv_bfloat162 derived = __hmul2(__floats2bfloat162_rn(first, second), kept);
    std::uint32_t bits;
    std::memcpy(&bits, &derived, sizeof bits);
    return bits;
  } else {
    const float2 output = mma::float_pair(h);
    return mma::bf16_pair(first * activation_derivative(activation, output.x),
                          second * activation_derivative(activation, output.y));
  }
}

/// The bias of a unit without weights whose output is 1, exactly.
__device__ inline float bias_of_one(Activation activation) {
  constexpr float saturated = 64.0F;
  return activation == Activation::sigmoid || activation == Activation::tanh ? saturated : 1.0F;
}

}  // namespace siamese::cuda
