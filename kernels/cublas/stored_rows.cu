#include <algorithm>
#include <cstddef>

#include "kernels/cublas/stored_rows.h"
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.cuh"

namespace siamese::cublas {
namespace {

using cuda::grid_thread;
using cuda::grid_threads;
using Pack = cuda::Pack<__nv_bfloat16>;

constexpr int threads = 256;

/// to [rows, pitch] = value(row, column), a pack of neighbours a thread.
template <class Value>
__device__ void store(std::int64_t rows, std::int64_t pitch, const Value& value,
                      __nv_bfloat16* __restrict__ to) {
  const std::int64_t packs_a_row = pitch / Pack::size;
  for (std::int64_t i = grid_thread(); i < rows * packs_a_row; i += grid_threads()) {
    const std::int64_t row = i / packs_a_row;
    const std::int64_t first = i % packs_a_row * Pack::size;
    Pack pack;
#pragma unroll
    for (int k = 0; k < Pack::size; ++k) {
      pack.elements[k] = __float2bfloat16_rn(value(row, first + k));
    }
    cuda::store_pack(to + i * Pack::size, pack);
  }
}

template <class Value>
__global__ void store_rows(std::int64_t rows, std::int64_t pitch, Value value,
                           __nv_bfloat16* __restrict__ to) {
  store(rows, pitch, value, to);
}

template <class Value>
void launch_rows(std::int64_t rows, std::int64_t pitch, const Value& value, __nv_bfloat16* to,
                 cudaStream_t stream) {
  store_rows<<<cuda::strided_blocks(rows * pitch / Pack::size, threads), threads, 0, stream>>>(
      rows, pitch, value, to);
  SIAMESE_CHECK_LAUNCH("store_rows");
}

/// What follows the d columns of h.
__device__ float behind(std::int64_t column, std::int64_t d) { return column == d ? 1.0F : 0.0F; }

struct Input {
  const float* x;
  std::int64_t d;
  __device__ float operator()(std::int64_t row, std::int64_t column) const {
    return column < d ? x[row * d + column] : behind(column, d);
  }
};

constexpr int layers_a_launch = 8;

struct Images {
  ParametersImage layer[layers_a_launch];
};

/// A layer a line of blocks.
__global__ void store_parameters(const __grid_constant__ Images images) {
  const ParametersImage& layer = images.layer[blockIdx.y];
  const auto value = [&layer](std::int64_t row, std::int64_t column) {
    if (row == layer.input_pitch) {
      return column < layer.outputs ? layer.of.bias[column] : behind(column, layer.outputs);
    }
    return row < layer.inputs && column < layer.outputs
               ? layer.of.weights[row * layer.outputs + column]
               : 0.0F;
  };
  store(layer.input_pitch + 1, layer.output_pitch, value, layer.image);
}

struct Activated {
  const float* z;
  std::int64_t pitch;
  const float* bias;
  std::int64_t d;
  Activation activation;
  __device__ float operator()(std::int64_t row, std::int64_t column) const {
    if (column >= d) return behind(column, d);
    return cuda::activate(activation, z[row * pitch + column] + bias[column]);
  }
};

/// From dh and h, whose rows both begin `pitch` elements apart.
template <class T>
struct Dz {
  const float* dh;
  const T* h;
  std::int64_t pitch;
  std::int64_t d;
  Activation activation;
  __device__ float operator()(std::int64_t row, std::int64_t column) const {
    if (column >= d) return 0.0F;
    const std::int64_t i = row * pitch + column;
    return dh[i] * cuda::activation_derivative(activation, static_cast<float>(h[i]));
  }
};

__global__ void embeddings_of(std::int64_t points, Activated value, float* __restrict__ e) {
  for (std::int64_t i = grid_thread(); i < points * value.d; i += grid_threads()) {
    e[i] = value(i / value.d, i % value.d);
  }
}

}  // namespace

void launch_store_input(std::int64_t points, std::int64_t d, const float* x, __nv_bfloat16* h,
                        std::int64_t pitch, cudaStream_t stream) {
  launch_rows(points, pitch, Input{x, d}, h, stream);
}

void launch_store_parameters(std::span<const ParametersImage> layers, cudaStream_t stream) {
  while (!layers.empty()) {
    const std::size_t count = std::min<std::size_t>(layers.size(), layers_a_launch);
    Images images{};
    std::int64_t most = 0;
    for (std::size_t l = 0; l < count; ++l) {
      images.layer[l] = layers[l];
      most = std::max(most, (layers[l].input_pitch + 1) * layers[l].output_pitch);
    }
    const dim3 blocks(cuda::strided_blocks(most / Pack::size, threads),
                      static_cast<unsigned>(count));
    store_parameters<<<blocks, threads, 0, stream>>>(images);
    SIAMESE_CHECK_LAUNCH("store_parameters");
    layers = layers.subspan(count);
  }
}

void launch_store_activations(std::int64_t points, const Layer& layer, const float* z,
                              const float* bias, __nv_bfloat16* h, std::int64_t pitch,
                              cudaStream_t stream) {
  launch_rows(points, pitch, Activated{z, pitch, bias, layer.outputs, layer.activation}, h, stream);
}

void launch_embeddings(std::int64_t points, const Layer& layer, const float* z, std::int64_t pitch,
                       const float* bias, float* embeddings, cudaStream_t stream) {
  const Activated value{z, pitch, bias, layer.outputs, layer.activation};
  embeddings_of<<<cuda::strided_blocks(points * layer.outputs, threads), threads, 0, stream>>>(
      points, value, embeddings);
  SIAMESE_CHECK_LAUNCH("embeddings_of");
}

void launch_store_last_dz(const PairBackwardArgs<float>& args, __nv_bfloat16* dz,
                          std::int64_t pitch, cudaStream_t stream) {
  const Layer& layer = args.network->layers().back();
  launch_rows(
      args.points, pitch,
      Dz<float>{args.gradient, args.embeddings, layer.outputs, layer.outputs, layer.activation}, dz,
      stream);
}

void launch_store_dz(std::int64_t points, const Layer& layer, const float* dh,
                     const __nv_bfloat16* h, __nv_bfloat16* dz, std::int64_t pitch,
                     cudaStream_t stream) {
  launch_rows(points, pitch, Dz<__nv_bfloat16>{dh, h, pitch, layer.outputs, layer.activation}, dz,
              stream);
}

}  // namespace siamese::cublas
