#include <cuda_bf16.h>

#include "kernels/cublas/elementwise.h"
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"

namespace siamese::cublas {
namespace {

using cuda::full_warp;
using cuda::grid_thread;
using cuda::grid_threads;
using cuda::warp_size;

constexpr int threads = 256;

__global__ void add_bias_activate(std::int64_t points, std::int64_t outputs, Activation activation,
                                  const float* __restrict__ bias, float* __restrict__ h) {
  const std::int64_t step = grid_threads() % outputs;  // in columns, so that no element divides
  std::int64_t column = grid_thread() % outputs;
  for (std::int64_t i = grid_thread(); i < points * outputs; i += grid_threads()) {
    h[i] = cuda::activate(activation, h[i] + bias[column]);
    column += step;
    if (column >= outputs) column -= outputs;
  }
}

__global__ void activate_all(std::int64_t count, Activation activation, float* h) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    h[i] = cuda::activate(activation, h[i]);
  }
}

__global__ void times_derivative(std::int64_t count, Activation activation,
                                 const float* __restrict__ h, float* __restrict__ dz) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    dz[i] *= cuda::activation_derivative(activation, h[i]);
  }
}

/// A warp a row, four words at a time: mask_bits() are as many or a multiple.
template <class T>
__global__ void positive_mask(std::int64_t points, std::int64_t width, std::int64_t words_a_row,
                              const T* __restrict__ h, std::uint32_t* __restrict__ mask) {
  constexpr int batch = 4;
  const int lane = cuda::own_lane();
  for (std::int64_t row = grid_thread() / warp_size; row < points;
       row += grid_threads() / warp_size) {
    for (std::int64_t word = 0; word < words_a_row; word += batch) {
      bool positive[batch];  // loads that go together
#pragma unroll
      for (int j = 0; j < batch; ++j) {
        const std::int64_t column = (word + j) * warp_size + lane;
        const bool exists = column < width;
        positive[j] = exists && static_cast<float>(h[row * width + column]) > 0.0F;
      }
      std::uint32_t own = 0;
#pragma unroll
      for (int j = 0; j < batch; ++j) {
        const std::uint32_t bits = __ballot_sync(full_warp, positive[j]);
        if (lane == j) own = bits;
      }
      if (lane < batch) mask[row * words_a_row + word + lane] = own;
    }
  }
}

}  // namespace

void launch_add_bias_activate(std::int64_t points, std::int64_t outputs, Activation activation,
                              const float* bias, float* h, cudaStream_t stream) {
  add_bias_activate<<<cuda::strided_blocks(points * outputs, threads), threads, 0, stream>>>(
      points, outputs, activation, bias, h);
  SIAMESE_CHECK_LAUNCH("add_bias_activate");
}

void launch_activate(std::int64_t count, Activation activation, float* h, cudaStream_t stream) {
  activate_all<<<cuda::strided_blocks(count, threads), threads, 0, stream>>>(count, activation, h);
  SIAMESE_CHECK_LAUNCH("activate_all");
}

void launch_times_derivative(std::int64_t count, Activation activation, const float* h, float* dz,
                             cudaStream_t stream) {
  times_derivative<<<cuda::strided_blocks(count, threads), threads, 0, stream>>>(count, activation,
                                                                                 h, dz);
  SIAMESE_CHECK_LAUNCH("times_derivative");
}

template <class T>
void launch_positive_mask(std::int64_t points, std::int64_t width, const T* h, std::uint32_t* mask,
                          cudaStream_t stream) {
  const std::int64_t words_a_row = mask_bits(width) / warp_size;
  const unsigned blocks = cuda::strided_blocks(points, threads / warp_size);
  positive_mask<<<blocks, threads, 0, stream>>>(points, width, words_a_row, h, mask);
  SIAMESE_CHECK_LAUNCH("positive_mask");
}

template void launch_positive_mask(std::int64_t, std::int64_t, const float*, std::uint32_t*,
                                   cudaStream_t);
template void launch_positive_mask(std::int64_t, std::int64_t, const __nv_bfloat16*, std::uint32_t*,
                                   cudaStream_t);

}  // namespace siamese::cublas
