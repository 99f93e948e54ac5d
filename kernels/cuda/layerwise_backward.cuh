#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/layers.h"
#include "kernels/cuda/product.cuh"
#include "kernels/cuda/sum_parts.h"
#include "kernels/cuda/tiled_plan.h"
#include "kernels/cuda/variant_parts.h"
#include "model/parameters.h"

// Backward as two products a layer, from the last layer down.
//   [dW_l; db_l] [d_{l-1} + 1, d_l] = [h_{l-1} 1]^T dz_l    the column of ones gives the bias's row
//   dz_{l-1} [n, d_{l-1}] = (dz_l W_l^T) * act_{l-1}'(z_{l-1})    the factor in the epilogue
// The points are cut into parts that fill the device; each part's sums go to a workspace
// [parts, (d_{l-1} + 1) d_l], and they are added up in order: no atomics, the same bits each time.
// Which kernel multiplies is the rung's business: Products as in layerwise_forward.cuh, and
//   static TiledPlan plan_deep(std::int64_t rows, std::int64_t columns, std::int64_t depth);

namespace siamese::cuda {

struct PlainSum {
  __device__ float read(std::int64_t, std::int64_t) const { return 0.0F; }
  template <class Function>
  __device__ void with_combine(Function&& function) const {
    function([](float sum, float) { return sum; });
  }
};

struct TimesDerivative {
  Activation activation;
  const float* activations;  // h_{l-1} [n, columns]
  std::int64_t columns;

  __device__ float read(std::int64_t row, std::int64_t column) const {
    return __ldg(activations + row * columns + column);
  }
  template <class Function>
  __device__ void with_combine(Function&& function) const {
    with_activation(activation, [&](auto constant) {
      constexpr Activation act = decltype(constant)::value;
      function([](float sum, float h) { return sum * activation_derivative(act, h); });
    });
  }
};

/// Room for the sums over so many parts of the points of the layer that needs most, where there are
/// several.
inline Buffer<float> gradient_parts(const std::vector<Layer>& layers,
                                    const std::vector<std::int64_t>& parts) {
  std::int64_t largest = 0;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (parts[l] == 1) continue;
    largest = std::max(largest, parts[l] * (layers[l].inputs + 1) * layers[l].outputs);
  }
  return Buffer<float>(Device::cuda, largest);
}

/// Tiles of both products of each layer, and what they work in.
struct LayerwiseBackwardPlan {
  struct LayerPlan {
    TiledPlan weights;
    TiledPlan previous;
  };
  std::vector<LayerPlan> layers;
  BackwardWorkspace<float> workspace;
  Buffer<float> parts;

  LayerwiseBackwardPlan(const PairBackwardArgs<float>& args, std::vector<LayerPlan> plans)
      : layers(std::move(plans)), workspace(args) {
    std::vector<std::int64_t> counts;
    for (const LayerPlan& layer : layers) counts.push_back(layer.weights.parts);
    parts = gradient_parts(args.network->layers(), counts);
  }
};

template <class Products>
void launch_weight_gradient(const Layer& layer, std::int64_t points, const float* input,
                            const float* dz, const TiledPlan& plan, float* parts, float* gradients,
                            cudaStream_t stream) {
  const std::int64_t rows = layer.inputs + 1;
  float* const sums = view(layer, gradients).weights;  // b follows W
  Operand extended = operand(input, layer.inputs, layer.inputs);
  extended.row_of_ones = true;
  Products::template launch<Lies::along_rows, Lies::along_rows>(
      plan,
      {.a = extended,
       .b = operand(dz, layer.outputs, layer.outputs),
       .rows = rows,
       .columns = layer.outputs,
       .depth = points,
       .c = plan.parts > 1 ? parts : sums},
      PlainSum{}, stream);
  if (plan.parts > 1) launch_sum_parts(parts, plan.parts, rows * layer.outputs, sums, stream);
}

template <class Products>
void launch_layerwise_backward(const PairBackwardArgs<float>& args,
                               const LayerwiseBackwardPlan& plan, cudaStream_t stream) {
  float* dz = plan.workspace.dz.data();
  float* previous = plan.workspace.previous.data();
  launch_last_dz(args, dz, stream);
  for_each_layer(args, [&](const BackwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    const LayerwiseBackwardPlan::LayerPlan& tiles = plan.layers[layer.index];
    launch_weight_gradient<Products>(shape, args.points, layer.input, dz, tiles.weights,
                                     plan.parts.data(), args.gradients, stream);
    if (layer.below == nullptr) return;
    Products::template launch<Lies::along_k, Lies::along_k>(
        tiles.previous,
        {.a = operand(dz, args.points, shape.outputs),
         .b = operand(layer.parameters.weights, shape.inputs, shape.outputs),
         .rows = args.points,
         .columns = shape.inputs,
         .depth = shape.outputs,
         .c = previous},
        TimesDerivative{layer.below->activation, layer.input, shape.inputs}, stream);
    std::swap(dz, previous);
  });
}

template <class Products>
Variant<PairBackwardArgs<float>> layerwise_backward(std::string_view name, int rung,
                                                    Precision precision) {
  const auto prepare = [name, precision](const PairBackwardArgs<float>& args) {
    std::vector<LayerwiseBackwardPlan::LayerPlan> plans;
    for (const Layer& layer : args.network->layers()) {
      plans.push_back({Products::plan_deep(layer.inputs + 1, layer.outputs, args.points),
                       Products::plan(args.points, layer.inputs, layer.outputs)});
    }
    const auto plan = std::make_shared<const LayerwiseBackwardPlan>(args, std::move(plans));
    return traced(args, name, precision, [args, plan](Stream stream) {
      launch_layerwise_backward<Products>(args, *plan, cuda_stream(stream));
    });
  };
  return {.name = std::string(name),
          .device = Device::cuda,
          .precision = precision,
          .rung = rung,
          .why_unsupported = serves_all<PairBackwardArgs<float>>,
          .prepare = prepare};
}

}  // namespace siamese::cuda
