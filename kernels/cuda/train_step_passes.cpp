#include "kernels/cuda/fused_passes.h"
#include "kernels/cuda/train_step_composed.h"

// A composed step with a launch for each pass through the network, in which activations stay on
// chip, where mma has one or two a layer. Unlike the fused steps it computes each point once,
// however many pairs it is in, and serves all pairs.

namespace siamese::cuda {
namespace {

LayerLaunches fused_passes(const PairForwardArgs<float>& forward,
                           const PairBackwardArgs<float>& backward, Precision) {
  const auto image = image_of_forward(*forward.network);
  return {prepare_forward_fused(forward, image), prepare_backward_fused(backward, image)};
}

constexpr Composition passes{.name = "passes",
                             .rung = 4,
                             .forward = "fused",
                             .backward = "fused",
                             .layers = fused_passes,
                             .captured = true};

const Register<TrainStepArgs<float>> bf16(composed_step<float>(passes, Precision::bf16));

}  // namespace
}  // namespace siamese::cuda
