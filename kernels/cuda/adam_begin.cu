#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/adam_begin.h"
#include "kernels/cuda/check.h"

namespace siamese::cuda {
namespace {

__global__ void begin_step(std::int64_t* step, Adam adam, AdamStep* constants) {
  *constants = adam_step_at(adam, ++*step);
}

}  // namespace

void launch_begin_step(std::int64_t* step, const Adam& adam, AdamStep* constants,
                       cudaStream_t stream) {
  begin_step<<<1, 1, 0, stream>>>(step, adam, constants);
  SIAMESE_CHECK_LAUNCH("begin_step");
}

}  // namespace siamese::cuda
