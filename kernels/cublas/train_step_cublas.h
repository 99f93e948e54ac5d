#pragma once

#include "kernels/cuda/train_step_composed.h"

namespace siamese::cublas {

/// What the training steps of rung 0 have in common: all but the passes through the layers.
inline constexpr cuda::Composition cublas_step{
    .name = "cublas", .rung = 0, .forward = "cublas", .backward = "cublas", .captured = true};

}  // namespace siamese::cublas
