#include "kernels/cuda/weight_image.cuh"

#include <algorithm>

#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"

namespace siamese::cuda {
namespace {

__global__ void __launch_bounds__(fused::threads)
    make_weight_image(const __grid_constant__ WeightImage plan,
                      const float* __restrict__ parameters, unsigned char* __restrict__ image) {
  fused::make_image(plan, parameters, image);
}

}  // namespace

WeightImage weight_image(WeightImage::Form form, const FusedLayer* layers, int count) {
  WeightImage plan{};
  plan.form = form;
  plan.layers = count;
  std::copy_n(layers, count, plan.layer);
  const FusedLayer& last = layers[count - 1];
  plan.bytes = last.bias + last.columns * static_cast<int>(sizeof(float));
  return plan;
}

void launch_weight_image(const WeightImage& plan, const float* parameters, unsigned char* image,
                         cudaStream_t stream) {
  make_weight_image<<<strided_blocks(plan.bytes / 4, fused::threads), fused::threads, 0, stream>>>(
      plan, parameters, image);
  SIAMESE_CHECK_LAUNCH("make_weight_image");
}

}  // namespace siamese::cuda
