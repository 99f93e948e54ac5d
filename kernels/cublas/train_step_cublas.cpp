#include "kernels/cublas/train_step_cublas.h"

#include <memory>

#include "kernels/cublas/lt_layers.h"
#include "kernels/cublas/stored_layers.h"
#include "kernels/cuda/variant_parts.h"

// The training steps of rung 0: products of cuBLAS or of cuBLASLt with its epilogues, and for the
// rest the best rungs there are, so that a difference to the steps above them is one of the
// products. All are replayed as graphs, so that none of it is the launching. cuBLASLt's products
// forward leave relu's masks to those back. cublas and cublaslt hand float32 matrices to products
// of each precision; cublaslt_stored keeps all between them in bf16.

namespace siamese::cublas {
namespace {

cuda::LayerLaunches lt_layers(const PairForwardArgs<float>& forward,
                              const PairBackwardArgs<float>& backward, Precision products) {
  const auto masks = std::make_shared<const ReluMasks>(*forward.network, forward.points);
  return {
      cuda::traced(forward, "cublaslt", products, plan_forward_lt(forward, products, masks)),
      cuda::traced(backward, "cublaslt", products, plan_backward_lt(backward, products, masks))};
}

cuda::LayerLaunches stored_layers(const PairForwardArgs<float>& forward,
                                  const PairBackwardArgs<float>& backward, Precision products) {
  const cuda::LayerLaunches layers =
      plan_stored_layers(forward, backward, chosen_step(forward, backward));
  return {cuda::traced(forward, "cublaslt_stored", products, layers.forward),
          cuda::traced(backward, "cublaslt_stored", products, layers.backward)};
}

constexpr cuda::Composition cublaslt = [] {
  cuda::Composition parts = cublas_step;
  parts.name = "cublaslt";
  parts.forward = "cublaslt";
  parts.backward = "cublaslt";
  parts.layers = lt_layers;
  return parts;
}();

constexpr cuda::Composition cublaslt_stored = [] {
  cuda::Composition parts = cublaslt;
  parts.name = "cublaslt_stored";
  parts.layers = stored_layers;
  parts.hands_hidden = false;
  return parts;
}();

Variant<TrainStepArgs<float>> step(const cuda::Composition& parts, Precision precision) {
  return cuda::composed_step<float>(parts, precision);
}

const Register<TrainStepArgs<float>> float32(step(cublas_step, Precision::float32));
const Register<TrainStepArgs<float>> tf32(step(cublas_step, Precision::tf32));
const Register<TrainStepArgs<float>> bf16(step(cublas_step, Precision::bf16));
const Register<TrainStepArgs<float>> lt_float32(step(cublaslt, Precision::float32));
const Register<TrainStepArgs<float>> lt_tf32(step(cublaslt, Precision::tf32));
const Register<TrainStepArgs<float>> lt_bf16(step(cublaslt, Precision::bf16));
const Register<TrainStepArgs<float>> stored_bf16(step(cublaslt_stored, Precision::bf16));

}  // namespace
}  // namespace siamese::cublas
