// Backward, rung 3 in strict float32: dz of all layers in one launch (chain.cuh), from G and the
// activations down to dz_1, each in the block's shared memory until the next layer's is made of it.
// The tiled rung wrote and read them back in a launch a layer. The weights' gradients, which need
// every point, are products of what this launch leaves, [dW_l; db_l] = [h_{l-1} 1]^T dz_l: by
// kernels that read it once (tall_gradient.h) where they serve, else the tiled rung's.

#include <memory>
#include <optional>
#include <vector>

#include "kernels/cuda/chain.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/layers.h"
#include "kernels/cuda/layerwise_backward.cuh"
#include "kernels/cuda/sum_parts.h"
#include "kernels/cuda/tall_gradient.h"
#include "kernels/cuda/tiled_product.cuh"

namespace siamese::cuda {
namespace {

/// dz [n, d_L], [n, d_{L-1}], .. [n, d_1], one after another: their way from the chain to the
/// weights' gradients.
__global__ void __launch_bounds__(chain_threads, 1)
    dz_chain(const __grid_constant__ ChainPlan plan, std::int64_t points, int width,
             Activation last, const float* __restrict__ gradient,
             const float* __restrict__ embeddings, const float* __restrict__ hidden_end,
             const float* __restrict__ parameters, float* __restrict__ dz) {
  extern __shared__ __align__(16) float lines[];
  float* const slices = lines + plan.slices;
  for (std::int64_t first = std::int64_t{blockIdx.x} * plan.rows; first < points;
       first += std::int64_t{gridDim.x} * plan.rows) {
    float* output = dz;
    // dz = dh * act'(z), told from h, in dh's place: a thread has the same elements each time. Both
    // are 0 where there is no point.
    const auto finish = [&](Activation act, int columns, const float* h) {
      with_activation(act, [&](auto activation) {
        chain::for_elements_of(h, plan, first, points, columns,
                               [&](int at, std::int64_t element, bool exists, float h_value) {
                                 lines[at] *= activation_derivative(activation.value, h_value);
                                 if (exists) output[element] = lines[at];
                               });
      });
      output += points * columns;
    };

    chain::for_elements_of(gradient, plan, first, points, width,
                           [&](int at, std::int64_t, bool, float value) { lines[at] = value; });
    finish(last, width, embeddings);
    const float* h = hidden_end;
    for (int s = 0; s < plan.steps; ++s) {
      const ChainStep& step = plan.step[s];
      chain::multiply<chain::Weights::transposed>(plan, step, parameters, lines, slices,
                                                  [](int, auto&) {});
      __syncthreads();
      h -= points * step.columns;
      finish(step.activation, step.columns, h);
    }
  }
}

/// A layer's gradient, and which kernel makes it.
struct LayerGradient {
  TallGradient product;
  std::optional<TallPlan> tall;
  TiledPlan tiled;  ///< where tall is nothing
};

/// What a backward pass works in.
struct Plan {
  ChainPlan chain;
  std::vector<LayerGradient> gradients;  ///< of each layer
  Buffer<float> dz;
  Buffer<float> parts;
};

const float* hidden_end(const PairBackwardArgs<float>& args) {
  return args.hidden + args.points * args.network->hidden_width();
}

Plan make_plan(const PairBackwardArgs<float>& args) {
  const std::vector<Layer>& layers = args.network->layers();
  Plan plan{.chain = plan_chain(backward_products(*args.network), args.network->embedding_width(),
                                args.points),
            .gradients = std::vector<LayerGradient>(layers.size()),
            .dz = Buffer<float>(Device::cuda, args.points * (args.network->hidden_width() +
                                                             args.network->embedding_width())),
            .parts = {}};
  const float* dz = plan.dz.data();
  std::vector<std::int64_t> parts(layers.size());
  for_each_layer(args, [&](const BackwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    LayerGradient& gradient = plan.gradients[layer.index];
    gradient.product = {.h = layer.input,
                        .dz = dz,
                        .points = args.points,
                        .inputs = static_cast<int>(shape.inputs),
                        .outputs = static_cast<int>(shape.outputs)};
    dz += args.points * shape.outputs;
    gradient.tall = plan_tall(gradient.product);
    gradient.tiled = TiledProducts::plan_deep(shape.inputs + 1, shape.outputs, args.points);
    parts[layer.index] = gradient.tall ? gradient.tall->parts : gradient.tiled.parts;
  });
  plan.parts = gradient_parts(layers, parts);
  return plan;
}

void launch(const PairBackwardArgs<float>& args, const Plan& plan, cudaStream_t stream) {
  const std::vector<Layer>& layers = args.network->layers();
  if (const unsigned blocks = chain_blocks(plan.chain, args.points); blocks > 0) {
    dz_chain<<<blocks, chain_threads, static_cast<std::size_t>(plan.chain.shared_bytes), stream>>>(
        plan.chain, args.points, static_cast<int>(args.network->embedding_width()),
        layers.back().activation, args.gradient, args.embeddings, hidden_end(args), args.parameters,
        plan.dz.data());
    SIAMESE_CHECK_LAUNCH("dz_chain");
  }
  for (std::size_t l = layers.size(); l-- > 0;) {
    const auto& [product, tall, tiled] = plan.gradients[l];
    if (tall) {
      launch_tall(product, *tall, plan.parts.data(), stream);
      launch_sum_parts(plan.parts.data(), tall->parts, product.elements(),
                       view(layers[l], args.gradients).weights, stream);
    } else {
      launch_weight_gradient<TiledProducts>(layers[l], args.points, product.h, product.dz, tiled,
                                            plan.parts.data(), args.gradients, stream);
    }
  }
}

Launch prepare(const PairBackwardArgs<float>& args) {
  const auto plan = std::make_shared<const Plan>(make_plan(args));
  allow_shared(dz_chain, plan->chain.shared_bytes, "dz_chain");
  return traced(args, "chain", Precision::float32,
                [args, plan](Stream stream) { launch(args, *plan, cuda_stream(stream)); });
}

std::optional<std::string> why_unsupported(const PairBackwardArgs<float>& args) {
  return why_no_chain(*args.network);
}

const Register<PairBackwardArgs<float>> float32({.name = "chain",
                                                 .device = Device::cuda,
                                                 .precision = Precision::float32,
                                                 .rung = 3,
                                                 .why_unsupported = why_unsupported,
                                                 .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
