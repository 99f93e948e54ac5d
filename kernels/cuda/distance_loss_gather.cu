// Distance and loss, rung 3: no atomics. A warp, or where there are few points a block, takes a
// point, gathers the pairs that the point is in and writes its row of G [n, d] once; costs leave
// each block as one partial sum. Everything is added in a fixed order, so equal inputs give equal
// bits, which neither rung below can promise.
//
// The pairs of a point come from a sort of the pairs' 2 m endpoints by point (endpoint_sort.h), new
// in each launch because a batch's pairs are. Each pair is computed twice, once at either end, and
// counts for the loss and for a distance's weights at its first. What a block has of the weights'
// gradient leaves it as its costs do.
// Dense pairs need none of it: no point is in two of them, so a group of lanes takes a pair and
// writes both of its rows.

#include <memory>
#include <optional>

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/endpoint_sort.h"
#include "kernels/cuda/group_pair.cuh"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/loss_parts.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_size;

template <Distance distance, class T>
__global__ void dense_pairs(const DistanceLossArgs<T> args, int lanes,
                            double* __restrict__ block_costs, T* __restrict__ merge_parts) {
  extern __shared__ double shared[];  // [threads / lanes][merge parameters] of T
  const auto width = static_cast<int>(args.width);
  const std::int64_t merge_width = merge_parameters(distance, width);
  const std::int64_t count = args.pairs.count;
  const T mean = static_cast<T>(1.0 / static_cast<double>(count));
  const int log_lanes = __popc(lanes - 1);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread & (lanes - 1);
  T* const merge_shares = reinterpret_cast<T*>(shared);
  MergeShare<distance, T> merge_share(merge_shares + (thread >> log_lanes) * merge_width, width,
                                      lane, lanes);
  double cost_sum = 0.0;
  // All groups of a warp go on as long as its first one has a pair.
  const int group_of_warp = thread % warp_size >> log_lanes;
  for (std::int64_t first = (grid_thread() >> log_lanes) - group_of_warp; first < count;
       first += grid_threads() >> log_lanes) {
    const std::int64_t p = first + group_of_warp;
    const bool exists = p < count;
    const GroupPair<distance, T> g(args, exists ? p : count - 1, lane, lanes);
    if (!exists) continue;
    if (lane == 0) cost_sum += static_cast<double>(g.c.value);
    merge_share.add(g);
    const T factor = mean * g.c.derivative;
    T* const to_a = args.gradient + g.pair.first * width;
    T* const to_b = args.gradient + g.pair.second * width;
    for (int k = lane; k < width; k += lanes) {
      to_a[k] = factor * g.by_a(k);
      to_b[k] = factor * g.by_b(k);
    }
  }
  store_merge_part(merge_shares, threads / lanes, merge_width, merge_parts);
  const double block_cost = block_sum<threads>(cost_sum);
  if (thread == 0) block_costs[blockIdx.x] = block_cost;
}

/// The first of `count` ascending points that is not below `point`.
__device__ std::int64_t lower_bound(const PointIndex* points, std::int64_t count,
                                    std::int64_t point) {
  std::int64_t begin = 0;
  while (count > 0) {
    const std::int64_t half = count / 2;
    if (points[begin + half] < point) {
      begin += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return begin;
}

/// `team` warps take a point: 1, or all of the block.
template <Distance distance, class T>
__global__ void gather_pairs(const DistanceLossArgs<T> args, int lanes, int team,
                             const PointIndex* __restrict__ sorted_points,  // [2 m]
                             const std::int64_t* __restrict__ endpoints,    // [2 m]
                             double* __restrict__ block_costs, T* __restrict__ merge_parts) {
  // [threads / lanes][width] of T: a group's share of the row; then its share of the merge's.
  extern __shared__ double shared[];
  const auto width = static_cast<int>(args.width);
  const std::int64_t merge_width = merge_parameters(distance, width);
  const std::int64_t count = args.pairs.count;
  const T mean = static_cast<T>(mean_factor(count));
  const int team_threads = team * warp_size;
  const int rank = static_cast<int>(threadIdx.x) % team_threads;
  const int lane = rank % lanes;
  const int group = rank / lanes;
  const int groups = team_threads / lanes;
  T* const team_shares = reinterpret_cast<T*>(shared) + threadIdx.x / team_threads * groups * width;
  PointShare<distance, T> share(team_shares + group * width, width, lane, lanes);
  T* const merge_shares = reinterpret_cast<T*>(shared) + threads / lanes * width;
  MergeShare<distance, T> merge_share(
      merge_shares + static_cast<int>(threadIdx.x) / lanes * merge_width, width, lane, lanes);
  const auto sync = [team] { team == 1 ? __syncwarp() : __syncthreads(); };

  for (std::int64_t i = grid_thread() / team_threads; i < args.points;
       i += grid_threads() / team_threads) {
    share.clear();
    const std::int64_t begin = lower_bound(sorted_points, 2 * count, i);
    const std::int64_t end = begin + lower_bound(sorted_points + begin, 2 * count - begin, i + 1);
    for (std::int64_t first = begin; first < end; first += groups) {
      const bool exists = first + group < end;
      const std::int64_t endpoint = endpoints[exists ? first + group : end - 1];
      const bool is_first = endpoint < count;
      const GroupPair<distance, T> g(args, is_first ? endpoint : endpoint - count, lane, lanes);
      if (exists) share.add(g, is_first, merge_share);
    }
    sync();
    for (int k = rank; k < width; k += team_threads) {
      args.gradient[i * width + k] = mean * sum_of_shares(team_shares, groups, width, k);
    }
    sync();  // before the shares are zeroed for the next point
  }
  store_merge_part(merge_shares, threads / lanes, merge_width, merge_parts);
  const double block_cost = block_sum<threads>(share.cost());
  if (threadIdx.x == 0) block_costs[blockIdx.x] = block_cost;
}

template <class T>
std::int64_t merge_width(const DistanceLossArgs<T>& args) {
  return merge_parameters(args.loss.distance, args.width);
}

template <class T>
std::int64_t shared_bytes(const DistanceLossArgs<T>& args) {
  const std::int64_t row = args.pairs.form == PairForm::indexed ? args.width : 0;
  return threads / lanes_for(args.width) * (row + merge_width(args)) *
         static_cast<std::int64_t>(sizeof(T));
}

/// Warps that take a point: all of a block where a warp a point would leave multiprocessors
/// without, or, if points have pairs for all of a block's groups, with too few to keep busy.
template <class T>
int team_for(const DistanceLossArgs<T>& args, int lanes) {
  constexpr std::int64_t busy_warps = 32;  // of a multiprocessor: 4 blocks at 64 registers
  const bool many_pairs = 2 * args.pairs.count >= args.points * (threads / lanes);
  const std::int64_t enough = many_pairs ? busy_warps : warps;
  return args.points < enough * device_limits().multiprocessors ? warps : 1;
}

/// What a launch needs, for its shape.
template <class T>
struct Plan {
  int lanes;
  int team;  // warps that take a point
  unsigned blocks;
  LossParts<T> parts;                // one of either kind a block
  std::optional<EndpointSort> sort;  // of indexed pairs

  explicit Plan(const DistanceLossArgs<T>& args)
      : lanes(lanes_for(args.width)),
        team(team_for(args, lanes)),
        blocks(args.pairs.form == PairForm::dense
                   ? strided_blocks(args.pairs.count, threads / lanes)
                   : strided_blocks(args.points, warps / team)),
        parts(blocks, blocks, merge_width(args)) {
    if (args.pairs.form == PairForm::indexed) sort.emplace(args.points, args.pairs.count);
  }
};

template <class T>
void launch_distance_loss(const DistanceLossArgs<T>& args, const Plan<T>& plan,
                          cudaStream_t stream) {
  if (plan.sort) plan.sort->launch(args.pairs.first, args.pairs.second, stream);
  if (plan.blocks > 0) {
    const auto bytes = static_cast<std::size_t>(shared_bytes(args));
    with_distance(args.loss.distance, [&](auto distance) {
      if (plan.sort) {
        gather_pairs<distance.value, T><<<plan.blocks, threads, bytes, stream>>>(
            args, plan.lanes, plan.team, plan.sort->points(), plan.sort->endpoints(),
            plan.parts.costs.data(), plan.parts.merge.data());
        SIAMESE_CHECK_LAUNCH("gather_pairs");
      } else {
        dense_pairs<distance.value, T><<<plan.blocks, threads, bytes, stream>>>(
            args, plan.lanes, plan.parts.costs.data(), plan.parts.merge.data());
        SIAMESE_CHECK_LAUNCH("dense_pairs");
      }
    });
  }
  const double mean = mean_factor(args.pairs.count);
  plan.parts.add_up(mean, mean, args.loss_value, args.merge_gradient, stream);
}

template <class T>
Launch prepare(const DistanceLossArgs<T>& args) {
  check_counts(args.pairs.form, args.points, args.pairs.count);
  with_distance(args.loss.distance, [&](auto distance) {
    if (args.pairs.form == PairForm::indexed) {
      allow_shared(gather_pairs<distance.value, T>, shared_bytes(args), "distance_loss/gather");
    } else {
      allow_shared(dense_pairs<distance.value, T>, shared_bytes(args), "distance_loss/gather");
    }
  });
  const auto plan = std::make_shared<const Plan<T>>(args);
  return traced(args, "gather", precision_of<T>, [args, plan](Stream stream) {
    launch_distance_loss(args, *plan, cuda_stream(stream));
  });
}

template <class T>
Variant<DistanceLossArgs<T>> variant() {
  return {.name = "gather",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 3,
          .why_unsupported =
              [](const DistanceLossArgs<T>& args) {
                return serves_lists_within(args, shared_bytes(args));
              },
          .prepare = prepare<T>};
}

const Register<DistanceLossArgs<float>> float32(variant<float>());
const Register<DistanceLossArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
