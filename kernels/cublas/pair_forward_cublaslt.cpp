// Forward, rung 0 by cuBLASLt: bias and relu are in the product's epilogue, so that h_l is written
// once, where the cublas variant reads and writes it once more. What is neither relu nor linear
// gets its bias there and its activation by a launch. In a training step relu's mask is left there
// too, for the way back (RELU_AUX_BIAS).
// In float32 (pedantic), TF32 and bf16 products, each under its own name.

#include <memory>
#include <vector>

#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/layers.h"
#include "kernels/cublas/lt.h"
#include "kernels/cublas/lt_layers.h"
#include "kernels/cublas/register.h"
#include "kernels/cuda/launch.h"

namespace siamese::cublas {
namespace {

using Args = PairForwardArgs<float>;

cublasLtEpilogue_t epilogue_of(Activation activation, bool masked) {
  if (masked) return CUBLASLT_EPILOGUE_RELU_AUX_BIAS;
  return activation == Activation::relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS;
}

/// The launches of a forward pass, in order.
std::vector<Launch> plan_forward(const Args& args, Precision precision, const ReluMasks* masks) {
  std::vector<Launch> launches;
  if (args.points == 0) return launches;
  const auto lt = std::make_shared<const Lt>();
  for_each_layer(args, [&](const ForwardLayer& layer) {
    const Layer& shape = layer.shape;
    const Activation activation = shape.activation;
    std::uint32_t* const mask = masks == nullptr ? nullptr : masks->of(shape);
    launches.push_back(plan_product(lt, precision,
                                    {{layer.input, args.points, shape.inputs},
                                     Read::plain,
                                     {layer.parameters.weights, shape.inputs, shape.outputs},
                                     Read::plain,
                                     layer.output},
                                    {.kind = epilogue_of(activation, mask != nullptr),
                                     .bias = layer.parameters.bias,
                                     .mask = mask}));
    if (activation == Activation::relu || activation == Activation::linear) return;
    launches.emplace_back(
        [=, count = args.points * shape.outputs, h = layer.output](Stream stream) {
          launch_activate(count, activation, h, cuda::cuda_stream(stream));
        });
  });
  return launches;
}

Launch prepare(const Args& args, Precision precision) {
  return plan_forward_lt(args, precision, nullptr);
}

const RegisterProducts<Args> variants("cublaslt", prepare);

}  // namespace

Launch plan_forward_lt(const Args& args, Precision precision,
                       const std::shared_ptr<const ReluMasks>& masks) {
  return [masks, launches = plan_forward(args, precision, masks.get())](Stream stream) {
    for (const Launch& launch : launches) launch(stream);
  };
}

}  // namespace siamese::cublas
