#pragma once

#include "kernels/cuda/tall_gradient.h"

namespace siamese::cuda {

// [dW; db] of a layer with at most 16 columns on one side, counting h's column of ones: a thread
// keeps all of these for four columns of the other side, by which points stream.

bool stripes_serve(const TallGradient& gradient);

void launch_stripes(const TallGradient& gradient, const TallPlan& plan, float* parts,
                    cudaStream_t stream);

}  // namespace siamese::cuda
