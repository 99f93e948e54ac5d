// Forward, rung 0: a product of cuBLAS per layer, then a launch for bias and activation, the plain
// way that a framework goes. Besides the product, h_l [n, d_l] is read and written once more.
// In float32 (pedantic), TF32 and bf16 products, each under its own name.

#include <memory>

#include "kernels/cublas/blas.h"
#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/register.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/layers.h"

namespace siamese::cublas {
namespace {

using Args = PairForwardArgs<float>;

void launch_forward(const Args& args, const Blas& blas, Stream stream) {
  if (args.points == 0) return;
  blas.set_stream(stream);
  cuda::for_each_layer(args, [&](const cuda::ForwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    blas.multiply({layer.input, args.points, shape.inputs}, Read::plain,
                  {layer.parameters.weights, shape.inputs, shape.outputs}, Read::plain,
                  layer.output);
    launch_add_bias_activate(args.points, shape.outputs, shape.activation, layer.parameters.bias,
                             layer.output, cuda::cuda_stream(stream));
  });
}

Launch prepare(const Args& args, Precision precision) {
  const auto blas = std::make_shared<const Blas>(precision);
  return [args, blas](Stream stream) { launch_forward(args, *blas, stream); };
}

const RegisterProducts<Args> variants("cublas", prepare);

}  // namespace
}  // namespace siamese::cublas
