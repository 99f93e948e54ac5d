// All pairs, rung 1: a warp per point i meets every other point j, 32 of them at a time, one a
// lane. The lanes' derivatives by E_i are summed over the warp into row i of G [n, d]; the target
// of (i, j) is formed on the way, as the distance of C_i and C_j of C [n, c].
//
// Each warp writes what it alone computes, in a fixed order: no atomics, no list of pairs, the same
// bits each time. The price is that every pair is computed twice, once from either end, and that
// each component costs five shuffles. The gradient by a distance's weights has each pair from its
// first end alone, and a part for each warp.

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/loss_parts.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int warps = 4;  // a block

template <Distance distance, class T>
__global__ void all_pairs_square(const AllPairsLossArgs<T> args, double mean,
                                 double* __restrict__ point_costs,  // [n]: of i with all others
                                 T* __restrict__ merge_parts) {     // [warps, merge parameters]
  const int lane = own_lane();
  const std::int64_t width = args.width;
  const std::int64_t merge_width = merge_parameters(distance, width);
  const Merge<distance, T> merge(args.merge, width);
  // As of a row of G below, lane l owns elements l, l + 32, ..
  T* const merge_part = merge_parts + grid_thread() / warp_size * merge_width;
  for (std::int64_t k = lane; k < merge_width; k += warp_size) merge_part[k] = T(0);
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
      for (std::int64_t k = 0; k < width; ++k) d.add(a[k], b[k], merge.weight(k));
      const T target =
          coordinate_distance(args.coordinates, args.coordinate_width, i, meets ? j : i);
      const Cost<T> c = cost(args.loss, d.finish(merge.offset()), target);
      if (meets) cost_sum += static_cast<double>(c.value);
      for (std::int64_t k = 0; k < width; ++k) {
        const T w = merge.weight(k);
        const T sum = group_sum(meets ? c.derivative * d.by_a(a[k], b[k], w) : T(0), warp_size);
        if (lane == k % warp_size) gradient[k] += sum;
      }
      const bool first_end = meets && j > i;
      if constexpr (has_weights(distance)) {
        for (std::int64_t k = 0; k < width; ++k) {
          const T sum = group_sum(first_end ? c.derivative * d.term(a[k], b[k]) : T(0), warp_size);
          if (lane == k % warp_size) merge_part[k] += sum;
        }
      }
      if constexpr (has_offset(distance)) {
        const T sum = group_sum(first_end ? c.derivative : T(0), warp_size);
        if (lane == width % warp_size) merge_part[width] += sum;
      }
    }
    for (std::int64_t k = lane; k < width; k += warp_size) gradient[k] *= static_cast<T>(mean);
    cost_sum = group_sum(cost_sum, warp_size);
    if (lane == 0) point_costs[i] = cost_sum;
  }
}

template <class T>
struct Plan {
  unsigned blocks;
  LossParts<T> parts;  // costs of each point, the merge's of each warp

  explicit Plan(const AllPairsLossArgs<T>& args)
      : blocks(strided_blocks(args.points, warps)),
        parts(args.points, blocks * warps, merge_parameters(args.loss.distance, args.width)) {}
};

template <class T>
void launch_all_pairs(const AllPairsLossArgs<T>& args, const Plan<T>& plan, cudaStream_t stream) {
  const double mean = mean_factor(all_pairs_count(args.points));
  if (args.points > 0) {
    with_distance(args.loss.distance, [&](auto distance) {
      all_pairs_square<distance.value, T><<<plan.blocks, warps * warp_size, 0, stream>>>(
          args, mean, plan.parts.costs.data(), plan.parts.merge.data());
      SIAMESE_CHECK_LAUNCH("all_pairs_square");
    });
  }
  // Every pair was met from both of its ends.
  plan.parts.add_up(mean / 2.0, mean, args.loss_value, args.merge_gradient, stream);
}

template <class T>
Launch prepare(const AllPairsLossArgs<T>& args) {
  const auto plan = std::make_shared<const Plan<T>>(args);
  return traced(args, "square", precision_of<T>, [args, plan](Stream stream) {
    launch_all_pairs(args, *plan, cuda_stream(stream));
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
