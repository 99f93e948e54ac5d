// Adam, rung 2: 16 bytes at a time. The naive rung moves the same bytes with four times the
// instructions, and has every thread work out the step's constants; here the one thread that
// advances the step count works them out, and the update reads the two of them.

#include <memory>

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/adam_begin.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/variant_parts.h"
#include "kernels/multiples.h"
#include "model/error.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void adam_vector(const AdamArgs<T> args, const AdamStep* scalars) {
  const AdamConstants<T> constants(args.adam, *scalars);
  const std::int64_t packs = args.count / Pack<T>::size;
  for (std::int64_t p = grid_thread(); p < packs; p += grid_threads()) {
    const std::int64_t i = p * Pack<T>::size;
    const Pack<T> gradient = load_pack(args.gradients + i);
    Pack<T> parameter = load_pack(args.parameters + i);
    Pack<T> m = load_pack(args.m + i);
    Pack<T> v = load_pack(args.v + i);
#pragma unroll
    for (int k = 0; k < Pack<T>::size; ++k) {
      constants.update(gradient.elements[k], parameter.elements[k], m.elements[k], v.elements[k]);
    }
    store_pack(args.parameters + i, parameter);
    store_pack(args.m + i, m);
    store_pack(args.v + i, v);
  }
  // The last elements, fewer than a pack, one a thread.
  const std::int64_t i = packs * Pack<T>::size + grid_thread();
  if (i < args.count) {
    constants.update(args.gradients[i], args.parameters[i], args.m[i], args.v[i]);
  }
}

template <class T>
void launch_adam(const AdamArgs<T>& args, const Buffer<AdamStep>& scalars, cudaStream_t stream) {
  launch_begin_step(args.step, args.adam, scalars.data(), stream);
  if (args.count == 0) return;
  const unsigned blocks = strided_blocks(ceil_div(args.count, Pack<T>::size), threads);
  adam_vector<<<blocks, threads, 0, stream>>>(args, scalars.data());
  SIAMESE_CHECK_LAUNCH("adam_vector");
}

template <class T>
Launch prepare(const AdamArgs<T>& args) {
  if (!holds_packs(args.gradients) || !holds_packs(args.parameters) || !holds_packs(args.m) ||
      !holds_packs(args.v)) {
    throw UsageError("adam/vector: a buffer is not aligned; expected a multiple of 16 bytes");
  }
  const auto scalars = std::make_shared<const Buffer<AdamStep>>(Device::cuda, 1);
  return traced(args, "vector", precision_of<T>, [args, scalars](Stream stream) {
    launch_adam(args, *scalars, cuda_stream(stream));
  });
}

template <class T>
Variant<AdamArgs<T>> variant() {
  return {.name = "vector",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 2,
          .why_unsupported = serves_all<AdamArgs<T>>,
          .prepare = prepare<T>};
}

const Register<AdamArgs<float>> float32(variant<float>());
const Register<AdamArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
