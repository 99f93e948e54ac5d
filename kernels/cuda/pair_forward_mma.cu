// Forward, rung 4: a product a layer (layerwise_forward.cuh) on tensor cores (mma_product.cuh), the
// activations float32 in memory and the sums float32 in registers. The tiled rung is bound by its
// multiply-adds, 32 an instruction; here they are thousands, and what binds is the traffic of the
// activations between the layers, which nothing at this rung avoids.

#include "kernels/cuda/layerwise_forward.cuh"
#include "kernels/cuda/mma_product.cuh"

namespace siamese::cuda {
namespace {

template <Precision precision>
Variant<PairForwardArgs<float>> variant() {
  return layerwise_forward<MmaProducts<precision>>("mma", 4, precision);
}

const Register<PairForwardArgs<float>> bf16(variant<Precision::bf16>());
const Register<PairForwardArgs<float>> tf32(variant<Precision::tf32>());
const Register<PairForwardArgs<float>> tf32x3(variant<Precision::tf32x3>());

}  // namespace
}  // namespace siamese::cuda
