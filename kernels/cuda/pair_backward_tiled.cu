// Backward, rung 2: both products of a layer in tiles (tiled_product.cuh), from the last layer
// down.
//   [dW_l; db_l] [d_{l-1} + 1, d_l] = [h_{l-1} 1]^T dz_l    the column of ones gives the bias's row
//   dz_{l-1} [n, d_{l-1}] = (dz_l W_l^T) * act_{l-1}'(z_{l-1})    the factor in the epilogue
// The naive rung had a thread per weight sum over all n points; here the points are cut into parts
// that fill the device, each part's sums go to a workspace [parts, (d_{l-1} + 1) d_l], and they are
// added up in order: no atomics, the same bits each time.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/tiled_product.cuh"
#include "kernels/cuda/variant_parts.h"
#include "model/parameters.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

struct StorePart {
  float* parts;  // [parts, rows, columns]
  std::int64_t rows;
  std::int64_t columns;

  __device__ void operator()(std::int64_t row, std::int64_t column, std::int64_t part,
                             float sum) const {
    parts[(part * rows + row) * columns + column] = sum;
  }
};

struct TimesDerivative {
  Activation activation;
  const float* activations;  // h_{l-1} [n, columns]
  float* dz;                 // dz_{l-1} [n, columns]
  std::int64_t columns;

  __device__ void operator()(std::int64_t row, std::int64_t column, std::int64_t, float sum) const {
    const std::int64_t i = row * columns + column;
    dz[i] = sum * activation_derivative(activation, activations[i]);
  }
};

__global__ void sum_parts(const float* __restrict__ parts,  // [part_count, count]
                          std::int64_t part_count, std::int64_t count, float* __restrict__ sums) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    float sum = 0.0F;
    for (std::int64_t part = 0; part < part_count; ++part) sum += parts[part * count + i];
    sums[i] = sum;
  }
}

/// Tiles of both products of each layer, and what they work in.
struct Plan {
  struct LayerPlan {
    TiledPlan weights;
    TiledPlan previous;
  };
  std::vector<LayerPlan> layers;
  BackwardWorkspace<float> workspace;
  Buffer<float> parts;

  explicit Plan(const PairBackwardArgs<float>& args) : workspace(args) {
    std::int64_t largest = 0;
    for (const Layer& layer : args.network->layers()) {
      layers.push_back({plan_deep_product(layer.inputs + 1, layer.outputs, args.points),
                        plan_product(args.points, layer.inputs, layer.outputs)});
      const std::int64_t parts_of_layer = layers.back().weights.parts;
      if (parts_of_layer > 1) {
        largest = std::max(largest, parts_of_layer * (layer.inputs + 1) * layer.outputs);
      }
    }
    parts = Buffer<float>(Device::cuda, largest);
  }
};

void launch_weight_gradient(const Layer& layer, std::int64_t points, const float* input,
                            const float* dz, const TiledPlan& plan, float* parts, float* gradients,
                            cudaStream_t stream) {
  const std::int64_t rows = layer.inputs + 1;
  float* const sums = view(layer, gradients).weights;  // b follows W
  Operand extended = operand(input, layer.inputs, layer.inputs);
  extended.row_of_ones = true;
  launch_tiled_product<Lies::along_rows, Lies::along_rows>(
      plan,
      {.a = extended,
       .b = operand(dz, layer.outputs, layer.outputs),
       .rows = rows,
       .columns = layer.outputs,
       .depth = points},
      StorePart{plan.parts > 1 ? parts : sums, rows, layer.outputs}, stream);
  if (plan.parts == 1) return;
  const std::int64_t count = rows * layer.outputs;
  sum_parts<<<strided_blocks(count, threads), threads, 0, stream>>>(parts, plan.parts, count, sums);
  SIAMESE_CHECK_LAUNCH("sum_parts");
}

void launch_backward(const PairBackwardArgs<float>& args, const Plan& plan, cudaStream_t stream) {
  const std::vector<Layer>& layers = args.network->layers();
  float* dz = plan.workspace.dz.data();
  float* previous = plan.workspace.previous.data();
  launch_last_dz(args, dz, stream);
  const float* below = args.hidden + args.points * args.network->hidden_width();  // past h_{L-1}
  for (std::size_t l = layers.size(); l-- > 0;) {
    const Layer& layer = layers[l];
    below -= args.points * layer.inputs;
    const float* const input = l == 0 ? args.x : below;
    launch_weight_gradient(layer, args.points, input, dz, plan.layers[l].weights, plan.parts.data(),
                           args.gradients, stream);
    if (l == 0) continue;
    launch_tiled_product<Lies::along_k, Lies::along_k>(
        plan.layers[l].previous,
        {.a = operand(dz, args.points, layer.outputs),
         .b = operand(view(layer, args.parameters).weights, layer.inputs, layer.outputs),
         .rows = args.points,
         .columns = layer.inputs,
         .depth = layer.outputs},
        TimesDerivative{layers[l - 1].activation, input, previous, layer.inputs}, stream);
    std::swap(dz, previous);
  }
}

Launch prepare(const PairBackwardArgs<float>& args) {
  const auto plan = std::make_shared<const Plan>(args);
  return traced(args, "tiled", Precision::float32,
                [args, plan](Stream stream) { launch_backward(args, *plan, cuda_stream(stream)); });
}

const Register<PairBackwardArgs<float>> float32(
    {.name = "tiled",
     .device = Device::cuda,
     .precision = Precision::float32,
     .rung = 2,
     .why_unsupported = serves_all<PairBackwardArgs<float>>,
     .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
