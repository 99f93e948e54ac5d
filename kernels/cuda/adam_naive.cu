// Adam, rung 1: a thread per parameter. It reads the gradient, the parameter and both moments and
// writes the last three back: 28 bytes a parameter in float32, the least there is.
//
// The step count lives on the device: a launch of one thread advances it before the update reads
// it, so that a replayed launch takes the next step. Every thread works the step's constants out
// anew, two powers in double, which costs far more than the update itself.

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

__global__ void advance_step(std::int64_t* step) { ++*step; }

template <class T>
__global__ void adam_naive(const AdamArgs<T> args) {
  const AdamConstants<T> constants(args.adam, adam_step_at(args.adam, *args.step));
  for (std::int64_t i = grid_thread(); i < args.count; i += grid_threads()) {
    constants.update(args.gradients[i], args.parameters[i], args.m[i], args.v[i]);
  }
}

template <class T>
void launch_adam(const AdamArgs<T>& args, cudaStream_t stream) {
  advance_step<<<1, 1, 0, stream>>>(args.step);
  SIAMESE_CHECK_LAUNCH("advance_step");
  if (args.count == 0) return;
  adam_naive<<<strided_blocks(args.count, threads), threads, 0, stream>>>(args);
  SIAMESE_CHECK_LAUNCH("adam_naive");
}

template <class T>
Launch prepare(const AdamArgs<T>& args) {
  return traced(args, "naive", precision_of<T>,
                [args](Stream stream) { launch_adam(args, cuda_stream(stream)); });
}

template <class T>
Variant<AdamArgs<T>> variant() {
  return {.name = "naive",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 1,
          .why_unsupported = serves_all<AdamArgs<T>>,
          .prepare = prepare<T>};
}

const Register<AdamArgs<float>> float32(variant<float>());
const Register<AdamArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
