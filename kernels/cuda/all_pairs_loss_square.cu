// All pairs, rung 1: a warp per point i meets every other point j, 32 of them at a time, one a
// lane. The lanes' derivatives by E_i are summed over the warp into row i of G [n, d]; the target
// of (i, j) is formed on the way, as the distance of C_i and C_j of C [n, c].
//
// Each warp writes what it alone computes, in a fixed order: no atomics, no list of pairs, the same
// bits each time. The price is that every pair is computed twice, once from either end, and that
// each component costs five shuffles.

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ordered_sum.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int warps = 4;  // a block

template <Distance distance, class T>
__global__ void all_pairs_square(const AllPairsLossArgs<T> args, double mean,
                                 double* __restrict__ point_costs) {  // [n]: of i with all others
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t width = args.width;
  for (std::int64_t i = grid_thread() / warp_size; i < args.points;
       i += grid_threads() / warp_size) {
    const T* const a = args.embeddings + i * width;
    T* const gradient = args.gradient + i * width;
    // Lane l owns components l, l + 32, .. of the row and is the only one to touch them.
    for (std::int64_t k = lane; k < width; k += warp_size) gradient[k] = T(0);

    double cost_sum = 0.0;
    for (std::int64_t first = 0; first < args.points; first += warp_size) {
      const std::int64_t j = first + lane;
      const bool meets = j < args.points && j != i;
      const T* const b = args.embeddings + (meets ? j : i) * width;
      PairDistance<distance, T> d;
      for (std::int64_t k = 0; k < width; ++k) d.add(a[k], b[k]);
      const T target =
          coordinate_distance(args.coordinates, args.coordinate_width, i, meets ? j : i);
      const Cost<T> c = cost(args.loss, d.finish(), target);
      if (meets) cost_sum += static_cast<double>(c.value);
      for (std::int64_t k = 0; k < width; ++k) {
        const T sum = group_sum(meets ? c.derivative * d.by_a(a[k], b[k]) : T(0), warp_size);
        if (lane == k % warp_size) gradient[k] += sum;
      }
    }
    for (std::int64_t k = lane; k < width; k += warp_size) gradient[k] *= static_cast<T>(mean);
    cost_sum = group_sum(cost_sum, warp_size);
    if (lane == 0) point_costs[i] = cost_sum;
  }
}

template <class T>
void launch_all_pairs(const AllPairsLossArgs<T>& args, const Buffer<double>& point_costs,
                      cudaStream_t stream) {
  // One over the number of pairs; written so that fewer than two points give a finite number.
  const double n = static_cast<double>(args.points);
  const double mean = args.points < 2 ? 0.0 : 2.0 / (n * (n - 1.0));
  if (args.points > 0) {
    with_distance(args.loss.distance, [&](auto distance) {
      all_pairs_square<distance.value, T>
          <<<strided_blocks(args.points, warps), warps * warp_size, 0, stream>>>(
              args, mean, point_costs.data());
      SIAMESE_CHECK_LAUNCH("all_pairs_square");
    });
  }
  // Every pair was met from both of its ends.
  launch_ordered_sum(point_costs.data(), args.points, mean / 2.0, args.loss_value, stream);
}

template <class T>
Launch prepare(const AllPairsLossArgs<T>& args) {
  const auto point_costs = std::make_shared<const Buffer<double>>(Device::cuda, args.points);
  return traced(args, "square", precision_of<T>, [args, point_costs](Stream stream) {
    launch_all_pairs(args, *point_costs, cuda_stream(stream));
  });
}

template <class T>
Variant<AllPairsLossArgs<T>> variant() {
  return {.name = "square",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 1,
          .why_unsupported = serves_all<AllPairsLossArgs<T>>,
          .prepare = prepare<T>};
}

const Register<AllPairsLossArgs<float>> float32(variant<float>());
const Register<AllPairsLossArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
