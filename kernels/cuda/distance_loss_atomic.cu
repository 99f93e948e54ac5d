// Distance and loss, rung 1: a thread per pair. It reads both embeddings, E_i and E_j of E [n, d],
// and adds the pair's cost to the loss and its 2 d derivatives to G [n, d] with atomics.
//
// Each thread reads rows of its own, so the lanes of a load lie d elements apart, each component
// costs two atomics, and every pair of the grid adds to the one loss. Atomics come in any order:
// sums of floats differ in their last bits from run to run.

#include "kernels/cuda/check.h"
#include "kernels/cuda/clear_loss.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

template <Distance distance, class T>
__global__ void distance_loss_atomic(const DistanceLossArgs<T> args) {
  const double mean = 1.0 / static_cast<double>(args.pairs.count);
  for (std::int64_t p = grid_thread(); p < args.pairs.count; p += grid_threads()) {
    const PointPair pair = points_of(args.pairs, p);
    const T* const a = args.embeddings + pair.first * args.width;
    const T* const b = args.embeddings + pair.second * args.width;
    const Merge<distance, T> merge(args.merge, args.width);
    PairDistance<distance, T> d;
    for (std::int64_t k = 0; k < args.width; ++k) d.add(a[k], b[k], merge.weight(k));
    const Cost<T> c = cost(args.loss, d.finish(merge.offset()), args.pairs.targets[p]);
    atomicAdd(args.loss_value, mean * static_cast<double>(c.value));

    const T factor = static_cast<T>(mean) * c.derivative;
    if constexpr (has_offset(distance)) atomicAdd(args.merge_gradient + args.width, factor);
    if (pair.first == pair.second) continue;  // both halves of its gradient cancel
    T* const by_a = args.gradient + pair.first * args.width;
    T* const by_b = args.gradient + pair.second * args.width;
    for (std::int64_t k = 0; k < args.width; ++k) {
      atomicAdd(by_a + k, factor * d.by_a(a[k], b[k], merge.weight(k)));
      atomicAdd(by_b + k, factor * d.by_b(a[k], b[k], merge.weight(k)));
      if constexpr (has_weights(distance)) {
        atomicAdd(args.merge_gradient + k, factor * d.term(a[k], b[k]));
      }
    }
  }
}

template <class T>
void launch_distance_loss(const DistanceLossArgs<T>& args, cudaStream_t stream) {
  clear_loss(args, stream);
  if (args.pairs.count == 0) return;
  with_distance(args.loss.distance, [&](auto distance) {
    distance_loss_atomic<distance.value, T>
        <<<strided_blocks(args.pairs.count, threads), threads, 0, stream>>>(args);
    SIAMESE_CHECK_LAUNCH("distance_loss_atomic");
  });
}

template <class T>
Launch prepare(const DistanceLossArgs<T>& args) {
  check_counts(args.pairs.form, args.points, args.pairs.count);
  return traced(args, "atomic", precision_of<T>,
                [args](Stream stream) { launch_distance_loss(args, cuda_stream(stream)); });
}

template <class T>
Variant<DistanceLossArgs<T>> variant() {
  return {.name = "atomic",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 1,
          .why_unsupported = serves_lists<T>,
          .prepare = prepare<T>,
          .deterministic = false};
}

const Register<DistanceLossArgs<float>> float32(variant<float>());
const Register<DistanceLossArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
