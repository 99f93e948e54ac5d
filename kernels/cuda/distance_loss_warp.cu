// Distance and loss, rung 2: the lanes of a warp work together. A group of lanes takes a pair, a
// lane a component (or every 32nd one), so that rows of E [n, d] are read and G [n, d] is added to
// in whole sectors, where the atomic rung had every lane in a row of its own. A group walks through
// a run of neighbouring pairs and holds the gradient of their first point until another point comes
// first, which in a list sorted by it halves the atomics; costs meet in the block before they go
// out. The order of the atomics still is left to chance, and with it the last bits of the sums.

#include <algorithm>

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/clear_loss.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/group_pair.cuh"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;
constexpr std::int64_t longest_run = 32;  // pairs

/// The gradient of one point, held back in shared memory; lane l of the group owns the components
/// l, l + lanes, .. and is the only one to touch them.
template <class T>
class HeldGradient {
 public:
  __device__ HeldGradient(T* held, T* gradient, std::int64_t width, int lane, int lanes)
      : held_(held), gradient_(gradient), width_(width), lane_(lane), lanes_(lanes) {
    for (std::int64_t k = lane_; k < width_; k += lanes_) held_[k] = T(0);
  }

  /// From now on add() is for this point.
  __device__ void switch_to(std::int64_t point) {
    if (point == point_) return;
    flush();
    point_ = point;
  }
  __device__ void add(std::int64_t k, T value) { held_[k] += value; }
  __device__ void flush() {
    if (point_ < 0) return;
    for (std::int64_t k = lane_; k < width_; k += lanes_) {
      atomicAdd(gradient_ + point_ * width_ + k, held_[k]);
      held_[k] = T(0);
    }
  }

 private:
  T* held_;      // [width]
  T* gradient_;  // G [n, width]
  std::int64_t width_;
  int lane_;
  int lanes_;
  std::int64_t point_ = -1;
};

template <Distance distance, class T>
__global__ void distance_loss_warp(const DistanceLossArgs<T> args, int lanes, std::int64_t run) {
  extern __shared__ double shared[];  // [threads / lanes][width + merge parameters] of T
  const std::int64_t width = args.width;
  const std::int64_t merge_width = merge_parameters(distance, width);
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int group = static_cast<int>(threadIdx.x) / lanes;
  T* const own = reinterpret_cast<T*>(shared) + group * (width + merge_width);
  HeldGradient<T> held(own, args.gradient, width, lane, lanes);
  HeldGradient<T> held_merge(own + width, args.merge_gradient, merge_width, lane, lanes);
  held_merge.switch_to(0);

  const std::int64_t count = args.pairs.count;
  const double mean = 1.0 / static_cast<double>(count);
  const std::int64_t runs_a_warp = warp_size / lanes;
  const std::int64_t warp = grid_thread() / warp_size;
  const std::int64_t warps = grid_threads() / warp_size;
  double cost_sum = 0.0;
  // The warp's groups take runs side by side. Loops end for all lanes at once, because lanes past
  // the last pair still take part in the sums of the others.
  for (std::int64_t first = warp * runs_a_warp * run; first < count;
       first += warps * runs_a_warp * run) {
    for (std::int64_t step = 0; step < run; ++step) {
      const std::int64_t p = first + (group % runs_a_warp) * run + step;
      const bool exists = p < count;
      const GroupPair<distance, T> g(args, exists ? p : count - 1, lane, lanes);
      if (!exists) continue;

      if (lane == 0) cost_sum += static_cast<double>(g.c.value);
      held.switch_to(g.pair.first);
      const T factor = static_cast<T>(mean) * g.c.derivative;
      if constexpr (has_offset(distance)) {
        if (lane == width % lanes) held_merge.add(width, factor);
      }
      if (g.pair.first == g.pair.second) continue;  // both halves of its gradient cancel
      for (int k = lane; k < width; k += lanes) {
        held.add(k, factor * g.by_a(k));
        atomicAdd(args.gradient + g.pair.second * width + k, factor * g.by_b(k));
        if constexpr (has_weights(distance)) held_merge.add(k, factor * g.d.term(g.a[k], g.b[k]));
      }
    }
  }
  held.flush();
  held_merge.flush();
  const double block_cost = block_sum<threads>(cost_sum);
  if (threadIdx.x == 0) atomicAdd(args.loss_value, mean * block_cost);
}

template <class T>
std::int64_t shared_bytes(const DistanceLossArgs<T>& args) {
  const std::int64_t held = args.width + merge_parameters(args.loss.distance, args.width);
  return threads / lanes_for(args.width) * held * static_cast<std::int64_t>(sizeof(T));
}

template <class T>
void launch_distance_loss(const DistanceLossArgs<T>& args, cudaStream_t stream) {
  clear_loss(args, stream);
  if (args.pairs.count == 0) return;
  // Runs as long as leave no multiprocessor without work.
  const int lanes = lanes_for(args.width);
  const std::int64_t groups_a_block = threads / lanes;
  const std::int64_t run = std::clamp<std::int64_t>(
      args.pairs.count / (device_limits().multiprocessors * groups_a_block), 1, longest_run);
  const unsigned blocks = strided_blocks(args.pairs.count, groups_a_block * run);
  with_distance(args.loss.distance, [&](auto distance) {
    distance_loss_warp<distance.value, T>
        <<<blocks, threads, static_cast<std::size_t>(shared_bytes(args)), stream>>>(args, lanes,
                                                                                    run);
    SIAMESE_CHECK_LAUNCH("distance_loss_warp");
  });
}

template <class T>
Launch prepare(const DistanceLossArgs<T>& args) {
  check_counts(args.pairs.form, args.points, args.pairs.count);
  with_distance(args.loss.distance, [&](auto distance) {
    allow_shared(distance_loss_warp<distance.value, T>, shared_bytes(args), "distance_loss/warp");
  });
  return traced(args, "warp", precision_of<T>,
                [args](Stream stream) { launch_distance_loss(args, cuda_stream(stream)); });
}

template <class T>
Variant<DistanceLossArgs<T>> variant() {
  return {.name = "warp",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 2,
          .why_unsupported =
              [](const DistanceLossArgs<T>& args) {
                return serves_lists_within(args, shared_bytes(args));
              },
          .prepare = prepare<T>,
          .deterministic = false};
}

const Register<DistanceLossArgs<float>> float32(variant<float>());
const Register<DistanceLossArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
