#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "model/adam.h"

namespace siamese::cuda {

/// Advances the count of steps on the device and works out that step's constants, on `stream`.
void launch_begin_step(std::int64_t* step, const Adam& adam, AdamStep* constants,
                       cudaStream_t stream);

}  // namespace siamese::cuda
