// Forward, rung 2: h_l [n, d_l] in tiles (tiled_product.cuh), with bias and activation applied to
// the sums while they are in registers. In the naive rung each multiply-add loaded two operands;
// here a thread of a 128 x 40 tile loads 13 for 40 multiply-adds, from shared memory, and global
// memory is read once per tile. A launch a layer; the activations still travel through memory
// between the layers.

#include <vector>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/tiled_product.cuh"
#include "kernels/cuda/variant_parts.h"
#include "model/parameters.h"

namespace siamese::cuda {
namespace {

/// h [rows, columns] = act(z + b).
struct BiasActivation {
  const float* bias;  // b [columns]
  Activation activation;
  float* output;  // h
  std::int64_t columns;

  __device__ void operator()(std::int64_t row, std::int64_t column, std::int64_t, float z) const {
    output[row * columns + column] = activate(activation, z + bias[column]);
  }
};

void launch_forward(const PairForwardArgs<float>& args, const std::vector<TiledPlan>& plans,
                    cudaStream_t stream) {
  const float* input = args.x;
  float* hidden = args.hidden;
  const std::vector<Layer>& layers = args.network->layers();
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Layer& layer = layers[l];
    float* const output = l + 1 == layers.size() ? args.embeddings : hidden;
    const auto p = view(layer, args.parameters);
    launch_tiled_product<Lies::along_k, Lies::along_rows>(
        plans[l],
        {.a = operand(input, args.points, layer.inputs),
         .b = operand(p.weights, layer.outputs, layer.outputs),
         .rows = args.points,
         .columns = layer.outputs,
         .depth = layer.inputs},
        BiasActivation{p.bias, layer.activation, output, layer.outputs}, stream);
    input = output;
    hidden += args.points * layer.outputs;
  }
}

Launch prepare(const PairForwardArgs<float>& args) {
  std::vector<TiledPlan> plans;
  for (const Layer& layer : args.network->layers()) {
    plans.push_back(plan_product(args.points, layer.outputs, layer.inputs));
  }
  return traced(args, "tiled", Precision::float32,
                [args, plans](Stream stream) { launch_forward(args, plans, cuda_stream(stream)); });
}

const Register<PairForwardArgs<float>> float32(
    {.name = "tiled",
     .device = Device::cuda,
     .precision = Precision::float32,
     .rung = 2,
     .why_unsupported = serves_all<PairForwardArgs<float>>,
     .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
