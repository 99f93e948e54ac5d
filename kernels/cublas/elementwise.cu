#include <cuda_bf16.h>

#include <type_traits>

#include "kernels/cublas/elementwise.h"
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.cuh"

namespace siamese::cublas {
namespace {

using cuda::full_warp;
using cuda::grid_thread;
using cuda::grid_threads;
using cuda::warp_size;

constexpr int threads = 256;

/// Neighbours that load and store as one instruction.
template <int size>
struct alignas(size * sizeof(float)) Few {
  float elements[size];
};
template <int size>
__device__ Few<size>& few(float* at) {
  return *reinterpret_cast<Few<size>*>(at);
}
template <int size>
__device__ const Few<size>& few(const float* at) {
  return *reinterpret_cast<const Few<size>*>(at);
}

constexpr int pack = cuda::Pack<float>::size;

/// A thread keeps its `size` columns over all of its rows, so that their biases are loaded once and
/// no element divides.
template <int size>
__global__ void add_bias_activate(std::int64_t points, std::int64_t outputs, Activation activation,
                                  const float* __restrict__ bias, float* __restrict__ h) {
  const std::int64_t across = outputs / size;
  const std::int64_t rows = max(grid_threads() / across, std::int64_t{1});  // at a time
  const std::int64_t first_row = grid_thread() / across;
  if (first_row >= rows) return;
  for (std::int64_t column = grid_thread() % across * size; column < outputs;
       column += grid_threads() * size) {
    const Few<size> b = few<size>(bias + column);
    cuda::with_activation(activation, [&](auto act) {
#pragma unroll 1
      for (std::int64_t row = first_row; row < points; row += rows) {
        Few<size>& place = few<size>(h + row * outputs + column);
        Few<size> values = place;
#pragma unroll
        for (int k = 0; k < size; ++k) {
          values.elements[k] = cuda::activate(act.value, values.elements[k] + b.elements[k]);
        }
        place = values;
      }
    });
  }
}

/// use(i, constant<size>) for neighbours i .. i + size - 1 that make up all of `count`: packs, if
/// they are aligned, and what is left by ones.
template <class Use>
__device__ void in_packs(std::int64_t count, bool aligned, Use use) {
  const std::int64_t packed = aligned ? count / pack * pack : 0;
#pragma unroll 1
  for (std::int64_t i = grid_thread() * pack; i < packed; i += grid_threads() * pack) {
    use(i, std::integral_constant<int, pack>{});
  }
#pragma unroll 1
  for (std::int64_t i = packed + grid_thread(); i < count; i += grid_threads()) {
    use(i, std::integral_constant<int, 1>{});
  }
}

__global__ void activate_all(std::int64_t count, Activation activation, float* h) {
  cuda::with_activation(activation, [&](auto act) {
    in_packs(count, cuda::holds_packs(h), [&](std::int64_t i, auto size) {
      auto& place = few<size.value>(h + i);
      auto values = place;
#pragma unroll
      for (float& value : values.elements) value = cuda::activate(act.value, value);
      place = values;
    });
  });
}

__global__ void times_derivative(std::int64_t count, Activation activation,
                                 const float* __restrict__ h, float* __restrict__ dz) {
  cuda::with_activation(activation, [&](auto act) {
    in_packs(count, cuda::holds_packs(h) && cuda::holds_packs(dz), [&](std::int64_t i, auto size) {
      const auto outputs = few<size.value>(h + i);
      auto& place = few<size.value>(dz + i);
      auto values = place;
#pragma unroll
      for (int k = 0; k < size.value; ++k) {
        values.elements[k] *= cuda::activation_derivative(act.value, outputs.elements[k]);
      }
      place = values;
    });
  });
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
  const auto launch = [&](auto kernel, int size) {
    kernel<<<cuda::strided_blocks(points * outputs, std::int64_t{threads} * size), threads, 0,
             stream>>>(points, outputs, activation, bias, h);
    SIAMESE_CHECK_LAUNCH("add_bias_activate");
  };
  if (outputs % pack == 0 && cuda::holds_packs(bias) && cuda::holds_packs(h)) {
    launch(add_bias_activate<pack>, pack);
  } else {
    launch(add_bias_activate<1>, 1);
  }
}

void launch_activate(std::int64_t count, Activation activation, float* h, cudaStream_t stream) {
  activate_all<<<cuda::strided_blocks(count, threads * pack), threads, 0, stream>>>(count,
                                                                                    activation, h);
  SIAMESE_CHECK_LAUNCH("activate_all");
}

void launch_times_derivative(std::int64_t count, Activation activation, const float* h, float* dz,
                             cudaStream_t stream) {
  times_derivative<<<cuda::strided_blocks(count, threads * pack), threads, 0, stream>>>(
      count, activation, h, dz);
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
