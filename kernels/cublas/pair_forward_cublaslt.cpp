// Forward, rung 0 by cuBLASLt: bias and relu are in the product's epilogue, so that h_l is written
// once, where the cublas variant reads and writes it once more. What is neither relu nor linear
// gets its bias there and its activation by a launch. In a training step relu's mask is left there
// too, for the way back (RELU_AUX_BIAS); where cuBLASLt has no such product, by a launch.
// In float32 (pedantic), TF32 and bf16 products, each under its own name.

#include <memory>
#include <utility>
#include <vector>

#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/lt.h"
#include "kernels/cublas/lt_layers.h"
#include "kernels/cublas/register.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/layers.h"

namespace siamese::cublas {
namespace {

using Args = PairForwardArgs<float>;

/// The launches of a forward pass, in order.
std::vector<Launch> plan_forward(const Args& args, Precision precision, const ReluMasks* masks) {
  std::vector<Launch> launches;
  if (args.points == 0) return launches;
  const auto lt = std::make_shared<const Lt>();
  cuda::for_each_layer(args, [&](const cuda::ForwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    const Activation activation = shape.activation;
    const LtOperands operands{{layer.input, args.points, shape.inputs},
                              Read::plain,
                              {layer.parameters.weights, shape.inputs, shape.outputs},
                              Read::plain,
                              layer.output};
    const float* const bias = layer.parameters.bias;
    float* const h = layer.output;
    std::uint32_t* const mask = masks == nullptr ? nullptr : masks->of(shape);
    if (mask != nullptr) {
      add_masked_relu(launches, lt, precision, operands, bias, mask);
      return;
    }
    const bool relu = activation == Activation::relu;
    launches.push_back(plan_product(
        lt, precision, operands,
        {.kind = relu ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_BIAS, .bias = bias}));
    if (relu || activation == Activation::linear) return;
    launches.emplace_back([=, count = args.points * shape.outputs](Stream stream) {
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

void add_masked_relu(std::vector<Launch>& launches, const std::shared_ptr<const Lt>& lt,
                     Precision precision, const LtOperands& product, const void* bias,
                     std::uint32_t* mask) {
  if (auto masking =
          find_product(lt, precision, product,
                       {.kind = CUBLASLT_EPILOGUE_RELU_AUX_BIAS, .bias = bias, .mask = mask})) {
    launches.push_back(std::move(*masking));
    return;
  }
  launches.push_back(
      plan_product(lt, precision, product, {.kind = CUBLASLT_EPILOGUE_RELU_BIAS, .bias = bias}));
  launches.emplace_back([=, n = rows(product), width = pitch(product), c = product.c](Stream s) {
    if (c.type == CUDA_R_16BF) {
      launch_positive_mask(n, width, static_cast<const __nv_bfloat16*>(c.data), mask,
                           cuda::cuda_stream(s));
    } else {
      launch_positive_mask(n, width, static_cast<const float*>(c.data), mask, cuda::cuda_stream(s));
    }
  });
}

Launch plan_forward_lt(const Args& args, Precision precision,
                       const std::shared_ptr<const ReluMasks>& masks) {
  return in_turn(plan_forward(args, precision, masks.get()), masks);
}

}  // namespace siamese::cublas
