#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/layers.h"
#include "kernels/cuda/product.cuh"
#include "kernels/cuda/tiled_plan.h"
#include "kernels/cuda/variant_parts.h"

// Forward as a product a layer, h_l [n, d_l] = act(h_{l-1} W_l + b_l), with bias and activation
// applied to the sums while they are in registers. Which kernel multiplies is the rung's business:
//   struct Products {
//     static TiledPlan plan(std::int64_t rows, std::int64_t columns, std::int64_t depth);
//     template <Lies a_lies, Lies b_lies, class Epilogue>
//     static void launch(const TiledPlan&, const Product&, const Epilogue&, cudaStream_t);
//   };

namespace siamese::cuda {

/// h = act(z + b).
struct BiasActivation {
  const float* bias;  // b [columns]
  Activation activation;

  __device__ float read(std::int64_t, std::int64_t column) const { return __ldg(bias + column); }
  template <class Function>
  __device__ void with_combine(Function&& function) const {
    with_activation(activation, [&](auto constant) {
      constexpr Activation act = decltype(constant)::value;
      function([](float z, float b) { return activate(act, z + b); });
    });
  }
};

template <class Products>
void launch_layerwise_forward(const PairForwardArgs<float>& args,
                              const std::vector<TiledPlan>& plans, cudaStream_t stream) {
  for_each_layer(args, [&](const ForwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    Products::template launch<Lies::along_k, Lies::along_rows>(
        plans[layer.index],
        {.a = operand(layer.input, args.points, shape.inputs),
         .b = operand(layer.parameters.weights, shape.outputs, shape.outputs),
         .rows = args.points,
         .columns = shape.outputs,
         .depth = shape.inputs,
         .c = layer.output},
        BiasActivation{layer.parameters.bias, shape.activation}, stream);
  });
}

template <class Products>
Variant<PairForwardArgs<float>> layerwise_forward(std::string_view name, int rung,
                                                  Precision precision) {
  const auto prepare = [name, precision](const PairForwardArgs<float>& args) {
    std::vector<TiledPlan> plans;
    for (const Layer& layer : args.network->layers()) {
      plans.push_back(Products::plan(args.points, layer.outputs, layer.inputs));
    }
    return traced(args, name, precision, [args, plans](Stream stream) {
      launch_layerwise_forward<Products>(args, plans, cuda_stream(stream));
    });
  };
  return {.name = std::string(name),
          .device = Device::cuda,
          .precision = precision,
          .rung = rung,
          .why_unsupported = serves_all<PairForwardArgs<float>>,
          .prepare = prepare};
}

}  // namespace siamese::cuda
