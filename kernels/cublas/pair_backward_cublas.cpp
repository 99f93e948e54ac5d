// Backward, rung 0: from the last layer down, three calls of cuBLAS a layer and a launch between:
//   dW_l [d_{l-1}, d_l] = h_{l-1}^T dz_l
//   db_l [d_l] = dz_l^T 1, with a vector of n ones
//   dh_{l-1} [n, d_{l-1}] = dz_l W_l^T, then in place dz_{l-1} = dh_{l-1} * act_{l-1}'(z_{l-1})
// dz_l is read three times from memory, and dh_{l-1} written twice.
// In float32 (pedantic), TF32 and bf16 products, each under its own name.

#include <memory>
#include <utility>
#include <vector>

#include "kernels/cublas/blas.h"
#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/register.h"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/layers.h"

namespace siamese::cublas {
namespace {

using Args = PairBackwardArgs<float>;

struct Plan {
  Blas blas;
  cuda::BackwardWorkspace<float> workspace;
  Buffer<float> ones;

  Plan(const Args& args, Precision precision)
      : blas(precision),
        workspace(args),
        ones(Device::cuda, std::vector<float>(static_cast<std::size_t>(args.points), 1.0F)) {}
};

void launch_backward(const Args& args, const Plan& plan, Stream stream) {
  const cudaStream_t cuda_stream = cuda::cuda_stream(stream);
  const std::int64_t n = args.points;
  if (n == 0) {
    cuda::clear_gradients(args, cuda_stream);
    return;
  }
  plan.blas.set_stream(stream);
  float* dz = plan.workspace.dz.data();
  float* previous = plan.workspace.previous.data();
  cuda::launch_last_dz(args, dz, cuda_stream);
  cuda::for_each_layer(args, [&](const cuda::BackwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    const Matrix dz_l{dz, n, shape.outputs};
    plan.blas.multiply({layer.input, n, shape.inputs}, Read::transposed, dz_l, Read::plain,
                       layer.weight_gradient);
    plan.blas.sum_columns(dz_l, plan.ones.data(), layer.bias_gradient);
    if (layer.below == nullptr) return;
    plan.blas.multiply(dz_l, Read::plain, {layer.parameters.weights, shape.inputs, shape.outputs},
                       Read::transposed, previous);
    launch_times_derivative(n * shape.inputs, layer.below->activation, layer.input, previous,
                            cuda_stream);
    std::swap(dz, previous);
  });
}

Launch prepare(const Args& args, Precision precision) {
  const auto plan = std::make_shared<const Plan>(args, precision);
  return [args, plan](Stream stream) { launch_backward(args, *plan, stream); };
}

const RegisterProducts<Args> variants("cublas", prepare);

}  // namespace
}  // namespace siamese::cublas
