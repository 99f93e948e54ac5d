#pragma once

#include "kernels/cuda/tall_gradient.h"

namespace siamese::cuda {

// [dW; db] by blocks that each have all of dW in their registers: of a middle layer that just fits,
// such as of 200 inputs and 200 outputs.

bool patches_serve(const TallGradient& gradient);

/// Lets the kernel have its shared memory, before the first launch.
void allow_patches(const TallGradient& gradient);

void launch_patches(const TallGradient& gradient, const TallPlan& plan, float* parts,
                    cudaStream_t stream);

}  // namespace siamese::cuda
