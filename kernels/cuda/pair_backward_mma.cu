// Backward, rung 4: both products of a layer (layerwise_backward.cuh) on tensor cores
// (mma_product.cuh), dz float32 in memory between them. For dW, h [n, d_{l-1}] and dz [n, d_l] are
// read as they lie, along their rows, and turned on the way into registers: by ldmatrix in bf16,
// element by element in tf32. The tiled rung is bound by its multiply-adds; this one by the traffic
// of h and dz, each of which it reads once per tile of the other.

#include "kernels/cuda/layerwise_backward.cuh"
#include "kernels/cuda/mma_product.cuh"

namespace siamese::cuda {
namespace {

template <Precision precision>
Variant<PairBackwardArgs<float>> variant() {
  return layerwise_backward<MmaProducts<precision>>("mma", 4, precision);
}

const Register<PairBackwardArgs<float>> bf16(variant<Precision::bf16>());
const Register<PairBackwardArgs<float>> tf32(variant<Precision::tf32>());
const Register<PairBackwardArgs<float>> tf32x3(variant<Precision::tf32x3>());

}  // namespace
}  // namespace siamese::cuda
