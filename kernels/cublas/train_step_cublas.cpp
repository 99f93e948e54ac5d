#include "kernels/cuda/train_step_composed.h"

// The training step of rung 0: cuBLAS's products, and for the rest the best rungs there are, so
// that a difference to the steps above it is one of the products.

namespace siamese::cublas {
namespace {

constexpr cuda::Composition composition{.name = "cublas",
                                        .rung = 0,
                                        .forward = "cublas",
                                        .distance_loss = "gather",
                                        .all_pairs_loss = "triangle",
                                        .backward = "cublas",
                                        .adam = "vector"};

const Register<TrainStepArgs<float>> float32(cuda::composed_step<float>(composition,
                                                                        Precision::float32));
const Register<TrainStepArgs<float>> tf32(cuda::composed_step<float>(composition, Precision::tf32));
const Register<TrainStepArgs<float>> bf16(cuda::composed_step<float>(composition, Precision::bf16));

}  // namespace
}  // namespace siamese::cublas
