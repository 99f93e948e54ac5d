#include "kernels/cuda/tall_gradient.h"

#include <algorithm>

#include "kernels/cuda/patch_gradient.h"
#include "kernels/cuda/stripe_gradient.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr std::int64_t least_depth = 64;  // points of a block
constexpr std::int64_t depth_step = 16;   // whole slices of patch_gradient

TallPlan plan(TallKernel kernel, std::int64_t points, std::int64_t blocks) {
  const std::int64_t parts = std::max(std::int64_t{2}, blocks);
  const std::int64_t depth = round_up(ceil_div(points, parts), depth_step);
  return {kernel, ceil_div(points, depth), depth};
}

}  // namespace

std::optional<TallPlan> plan_tall(const TallGradient& gradient) {
  const std::int64_t multiprocessors = device_limits().multiprocessors;
  if (gradient.points < least_depth * multiprocessors) return std::nullopt;
  if (patches_serve(gradient)) {
    allow_patches(gradient);
    return plan(TallKernel::patches, gradient.points, multiprocessors);
  }
  if (stripes_serve(gradient)) {
    return plan(TallKernel::stripes, gradient.points, 2 * multiprocessors);
  }
  return std::nullopt;
}

void launch_tall(const TallGradient& gradient, const TallPlan& plan, float* parts,
                 cudaStream_t stream) {
  switch (plan.kernel) {
    case TallKernel::patches:
      return launch_patches(gradient, plan, parts, stream);
    case TallKernel::stripes:
      return launch_stripes(gradient, plan, parts, stream);
  }
}

}  // namespace siamese::cuda
