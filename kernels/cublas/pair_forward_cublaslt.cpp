// Forward, rung 0 by cuBLASLt: bias and relu are in the product's epilogue, so that h_l is written
// once, where the cublas variant reads and writes it once more. What is neither relu nor linear
// gets its bias there and its activation by a launch.
// In float32 (pedantic), TF32 and bf16 products, each under its own name.

#include <memory>
#include <vector>

#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/layers.h"
#include "kernels/cublas/lt.h"
#include "kernels/cublas/register.h"
#include "kernels/cuda/launch.h"

namespace siamese::cublas {
namespace {

using Args = PairForwardArgs<float>;

/// The launches of a forward pass, in order.
std::vector<Launch> plan_forward(const Args& args, Precision precision) {
  std::vector<Launch> launches;
  if (args.points == 0) return launches;
  const auto lt = std::make_shared<const Lt>();
  for_each_layer(args, [&](const ForwardLayer& layer) {
    const Layer& shape = layer.shape;
    const Activation activation = shape.activation;
    const bool relu = activation == Activation::relu;
    launches.push_back(
        plan_product(lt, precision,
                     {{layer.input, args.points, shape.inputs},
                      Read::plain,
                      {layer.parameters.weights, shape.inputs, shape.outputs},
                      Read::plain,
                      layer.output},
                     {.kind = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS,
                      .bias = layer.parameters.bias}));
    if (relu || activation == Activation::linear) return;
    launches.emplace_back(
        [=, count = args.points * shape.outputs, h = layer.output](Stream stream) {
          launch_activate(count, activation, h, cuda::cuda_stream(stream));
        });
  });
  return launches;
}

Launch prepare(const Args& args, Precision precision) {
  return [launches = plan_forward(args, precision)](Stream stream) {
    for (const Launch& launch : launches) launch(stream);
  };
}

const RegisterProducts<Args> variants("cublaslt", prepare);

}  // namespace
}  // namespace siamese::cublas
