// Backward, rung 5: all layers in one launch, in bf16 on tensor cores. The layer-wise rungs write
// each layer's dz and read it twice, and read each h twice: for the seed's network 7.4 KB a point.
// Here X, h, E and G are read once, 1.7 KB a point, and dz stays on chip, as do the gradients over
// all of a block's tiles of 64 points (fused_step.cuh). Each block leaves its gradients in a part
// of its own, and a second launch adds up the parts in order.
//
// It takes as much shared memory as the fused training step, which a block has on sm_90.

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/fused_passes.h"
#include "kernels/cuda/fused_step.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/sum_parts.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

using Args = PairBackwardArgs<float>;

/// What backward needs of the tile that begins with point `first`.
__device__ void load_tile(const Args& args, std::int64_t first, const fused::Step& step) {
  const float* from = args.x;
  for (int l = 0; l < step_layers; ++l) {
    const int width = step.layer(l).inputs;
    step.load_rows<fused::load_batch>(l, [&](int row) -> const float* {
      return first + row < args.points ? from + (first + row) * width : nullptr;
    });
    from = l == 0 ? args.hidden : from + args.points * width;
  }
  const FusedLayer& last = step.layer(step_layers - 1);
  const std::int64_t point = first + fused::own_row();
  fused::fill<2>(step.rows(step_layers), last.columns, [&](int column) {
    const auto element = [&](int c) {
      if (point >= args.points || c >= last.outputs) return 0.0F;
      const std::int64_t i = point * last.outputs + c;
      return args.gradient[i] * activation_derivative(last.activation, args.embeddings[i]);
    };
    return float2{element(column), element(column + 1)};
  });
}

__global__ void __launch_bounds__(fused::threads, 1)
    backward_fused(const __grid_constant__ Args args, const __grid_constant__ FusedStepPlan plan,
                   const unsigned char* image,
                   float* parts) {  // [blocks, parameters]
  extern __shared__ __align__(16) unsigned char shared[];
  const fused::Step step(plan, shared);
  step.clear();
  __syncthreads();
  step.load_weights(image);

  fused::MiddleGradient middle;
  for (std::int64_t point = std::int64_t{blockIdx.x} * step_rows; point < args.points;
       point += std::int64_t{gridDim.x} * step_rows) {
    load_tile(args, point, step);
    __syncthreads();
    step.backward(middle);
    __syncthreads();
  }
  step.store_gradients(middle, parts + blockIdx.x * plan.parameters);
}

struct Plan {
  unsigned blocks;
  FusedStepPlan step;
  std::shared_ptr<const PlacedImage> image;
  bool makes_image;
  Buffer<float> parts;
};

void launch_backward(const Args& args, const Plan& plan, cudaStream_t stream) {
  const unsigned char* const image = plan.image->place.data();
  if (plan.makes_image) {
    launch_weight_image(plan.image->plan, args.parameters, plan.image->place.data(), stream);
  }
  backward_fused<<<plan.blocks, fused::threads, static_cast<std::size_t>(plan.step.shared_bytes),
                   stream>>>(args, plan.step, image, plan.parts.data());
  SIAMESE_CHECK_LAUNCH("backward_fused");
  launch_sum_parts(plan.parts.data(), plan.blocks, plan.step.parameters, args.gradients, stream);
}

std::optional<std::string> why_unsupported(const Args& args) {
  return why_no_fused_step(*args.network);
}

Launch prepare(const Args& args) { return prepare_backward_fused(args, nullptr); }

const Register<Args> bf16({.name = "fused",
                           .device = Device::cuda,
                           .precision = Precision::bf16,
                           .rung = 5,
                           .why_unsupported = why_unsupported,
                           .prepare = prepare});

}  // namespace

Launch prepare_backward_fused(const Args& args, const std::shared_ptr<const PlacedImage>& made) {
  const FusedStepPlan step = plan_fused_step(*args.network);
  const WeightImage weights = weight_image(WeightImage::Form::lines, step.layer, step_layers);
  const bool makes_image = made == nullptr || made->plan != weights;
  allow_shared(backward_fused, step.shared_bytes, "pair_backward/fused");
  const std::int64_t blocks = fused_step_blocks(args.points);
  const auto plan = std::make_shared<const Plan>(
      Plan{static_cast<unsigned>(blocks), step,
           makes_image ? std::make_shared<const PlacedImage>(weights) : made, makes_image,
           Buffer<float>(Device::cuda, blocks * step.parameters)});
  return traced(args, "fused", Precision::bf16,
                [args, plan](Stream stream) { launch_backward(args, *plan, cuda_stream(stream)); });
}

}  // namespace siamese::cuda
