#include "kernels/cpu/simd/tiled.h"

#include "kernels/cpu/simd/all_pairs_loss.h"
#include "kernels/cpu/simd/layers.h"
#include "kernels/cpu/simd/pair_loss.h"
#include "kernels/cpu/simd/vector.h"

namespace siamese {
namespace {

static_assert(tile_row_multiple % block_rows == 0, "a tile is whole blocks of rows");

// One pass over memory; the compiler makes vectors of it, square root included.
template <class T>
void adam(const Adam& adam, AdamStep step, std::int64_t count, const T* __restrict gradients,
          T* __restrict parameters, T* __restrict m, T* __restrict v) {
  // By 1 - beta alone: rounded to float32, beta2 = 0.999 and 0.001 do not add up to 1, and v would
  // settle beside the mean of the squares.
  const T rest1 = static_cast<T>(1.0 - adam.beta1);
  const T rest2 = static_cast<T>(1.0 - adam.beta2);
  const T rate = static_cast<T>(step.rate);
  const T v_scale = static_cast<T>(step.v_scale);
  const T epsilon = static_cast<T>(adam.epsilon);
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gradients[i];
    m[i] += rest1 * (g - m[i]);
    v[i] += rest2 * (g * g - v[i]);
    parameters[i] -= rate * m[i] / (square_root(v[i]) * v_scale + epsilon);
  }
}

template <class T>
constexpr TiledKernels<T> kernels{pack<T>,
                                  pack_transposed<T>,
                                  forward<T>,
                                  output_gradient<T>,
                                  input_gradient<T>,
                                  weight_gradient<T>,
                                  pair_loss<T>,
                                  all_pairs_loss<T>,
                                  to_feature_major<T>,
                                  adam<T>};

}  // namespace

template <>
TiledKernels<float> tiled_kernels<Isa::SIAMESE_ISA, float>() {
  return kernels<float>;
}
template <>
TiledKernels<double> tiled_kernels<Isa::SIAMESE_ISA, double>() {
  return kernels<double>;
}

}  // namespace siamese
