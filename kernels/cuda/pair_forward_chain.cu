// Forward, rung 3 in strict float32: all layers in one launch (chain.cuh). The tiled rung writes
// each layer's activations and reads them back for the next, in a launch a layer; here they stay in
// the block's shared memory, X is read once and h_1 .. h_L, which backward needs, are written once.
// Multiply-adds bound it as they do the rung below: what it saves is the way through memory and
// two launches of three.

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/chain.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

__global__ void __launch_bounds__(chain_threads, 1)
    forward_chain(const __grid_constant__ ChainPlan plan, std::int64_t points,
                  const float* __restrict__ x, const float* __restrict__ parameters,
                  float* __restrict__ hidden, float* __restrict__ embeddings) {
  extern __shared__ __align__(16) float lines[];
  float* const slices = lines + plan.slices;
  for (std::int64_t first = std::int64_t{blockIdx.x} * plan.rows; first < points;
       first += std::int64_t{gridDim.x} * plan.rows) {
    chain::for_elements_of(x, plan, first, points, plan.step[0].depth,
                           [&](int at, std::int64_t, bool, float value) { lines[at] = value; });
    float* output = hidden;
    for (int s = 0; s < plan.steps; ++s) {
      const ChainStep& step = plan.step[s];
      const float* const bias =
          parameters + step.weights + static_cast<std::int64_t>(step.depth) * step.columns;
      chain::multiply<chain::Weights::as_stored>(
          plan, step, parameters, lines, slices, [&](int column, auto& sums) {
            const float b = __ldg(bias + column);
            with_activation(step.activation, [&](auto activation) {
              for (float& sum : sums) sum = activate(activation.value, sum + b);
            });
          });
      __syncthreads();
      if (s == plan.steps - 1) output = embeddings;
      chain::for_elements(plan, first, points, step.columns,
                          [&](int at, std::int64_t element, bool exists) {
                            if (exists) output[element] = lines[at];
                          });
      output += points * step.columns;
    }
  }
}

std::optional<std::string> why_unsupported(const PairForwardArgs<float>& args) {
  return why_no_chain(*args.network);
}

Launch prepare(const PairForwardArgs<float>& args) {
  const ChainPlan plan =
      plan_chain(forward_products(*args.network), args.network->input_width(), args.points);
  allow_shared(forward_chain, plan.shared_bytes, "forward_chain");
  return traced(args, "chain", Precision::float32, [=](Stream stream) {
    const unsigned blocks = chain_blocks(plan, args.points);
    if (blocks == 0) return;
    forward_chain<<<blocks, chain_threads, static_cast<std::size_t>(plan.shared_bytes),
                    cuda_stream(stream)>>>(plan, args.points, args.x, args.parameters, args.hidden,
                                           args.embeddings);
    SIAMESE_CHECK_LAUNCH("forward_chain");
  });
}

const Register<PairForwardArgs<float>> float32({.name = "chain",
                                                .device = Device::cuda,
                                                .precision = Precision::float32,
                                                .rung = 3,
                                                .why_unsupported = why_unsupported,
                                                .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
