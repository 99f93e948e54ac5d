// Distance and loss, rung 4, of indexed pairs that are few: no sort. Rung 3 sorts the pairs'
// endpoints before it gathers them, in a launch of its own (of more than 1,024 pairs three) for
// each digit of a point's index, which has to end first. Here a block takes a point, looks through
// all pairs, makes a list of those that the point is in, and its groups of lanes compute them side
// by side. That is n m looks for n points and m pairs, so that rung 3 is left the large batches,
// and dense pairs, whose points need no search.
//
// Everything is added in a fixed order: equal inputs give equal bits. What a block has of the costs
// and of the gradient of a distance's weights leaves it as a part of its own.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/group_pair.cuh"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/lanes.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/loss_parts.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 512;
constexpr int warps = threads / warp_size;
constexpr int load_batch = 8;
constexpr int looks = threads * load_batch;       // of a block at a time
constexpr int most_waiting = 1024;                // pairs that are found and not computed yet,
constexpr int most_found = most_waiting + looks;  // and those that may be found until they are
constexpr std::int64_t most_looks = std::int64_t{1} << 25;

struct Ends {
  PointIndex first;
  PointIndex second;
};

/// The list of those of the next `looks` pairs that a point is in, behind the `waiting` that are
/// there. Returns how many there are then. All threads of the block call it; the list is complete.
template <class T>
__device__ int find_pairs(const Pairs<T>& pairs, int begin, PointIndex point, int waiting,
                          int* found) {
  __shared__ int counts[warps];
  const auto count = static_cast<int>(pairs.count);
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % warp_size;
  const int warp = thread / warp_size;
  Ends ends[load_batch];
#pragma unroll
  for (int j = 0; j < load_batch; ++j) {
    const int p = begin + j * threads + thread;
    ends[j] = p < count ? Ends{pairs.first[p], pairs.second[p]} : Ends{-1, -1};
  }
  unsigned hits[load_batch];
  int own_count = 0;
#pragma unroll
  for (int j = 0; j < load_batch; ++j) {
    hits[j] = __ballot_sync(full_warp, ends[j].first == point || ends[j].second == point);
    own_count += __popc(hits[j]);
  }
  if (lane == 0) counts[warp] = own_count;
  __syncthreads();
  int place = waiting;
  for (int w = 0; w < warps; ++w) {
    if (w < warp) place += counts[w];
    waiting += counts[w];
  }
#pragma unroll
  for (int j = 0; j < load_batch; ++j) {
    const unsigned own = 1U << lane;
    if ((hits[j] & own) != 0) {
      found[place + __popc(hits[j] & (own - 1))] = begin + j * threads + thread;
    }
    place += __popc(hits[j]);
  }
  __syncthreads();
  return waiting;
}

/// A block takes a point, and groups of its lanes the pairs that the point is in.
template <Distance distance, class T>
__global__ void __launch_bounds__(threads)
    scan_pairs(const DistanceLossArgs<T> args, int lanes, double* __restrict__ block_costs,
               T* __restrict__ merge_parts) {
  // The list of pairs; then [threads / lanes][width] of T: a group's share of the row; then its
  // share of the merge's.
  extern __shared__ double shared[];
  auto* const found = reinterpret_cast<int*>(shared);
  const auto width = static_cast<int>(args.width);
  const auto count = static_cast<int>(args.pairs.count);
  const auto point = static_cast<PointIndex>(blockIdx.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int log_lanes = __popc(lanes - 1);
  const int lane = thread & (lanes - 1);
  const int group = thread >> log_lanes;
  const int groups = threads >> log_lanes;
  T* const shares = reinterpret_cast<T*>(found + most_found);
  PointShare<distance, T> share(shares + group * width, width, lane, lanes);
  share.clear();
  const std::int64_t merge_width = merge_parameters(distance, width);
  T* const merge_shares = shares + groups * width;
  MergeShare<distance, T> merge_share(merge_shares + group * merge_width, width, lane, lanes);

  int waiting = 0;
  for (int begin = 0; begin < count; begin += looks) {
    waiting = find_pairs(args.pairs, begin, point, waiting, found);
    if (waiting <= most_waiting && begin + looks < count) continue;
    for (int first = 0; first < waiting; first += groups) {
      const bool exists = first + group < waiting;
      const int p = found[exists ? first + group : first];
      const GroupPair<distance, T> g(args, p, lane, lanes);
      if (exists) share.add(g, g.pair.first == point, merge_share);
    }
    waiting = 0;
    __syncthreads();  // before others take their places
  }
  __syncthreads();

  const T mean = static_cast<T>(mean_factor(count));
  for (int k = thread; k < width; k += threads) {
    args.gradient[static_cast<std::int64_t>(point) * width + k] =
        mean * sum_of_shares(shares, groups, width, k);
  }
  store_merge_part(merge_shares, groups, merge_width, merge_parts);
  const double block_cost = block_sum<threads>(share.cost());
  if (thread == 0) block_costs[blockIdx.x] = block_cost;
}

template <class T>
std::int64_t shared_bytes(const DistanceLossArgs<T>& args) {
  const std::int64_t elements = args.width + merge_parameters(args.loss.distance, args.width);
  return most_found * static_cast<std::int64_t>(sizeof(int)) +
         threads / lanes_for(args.width) * elements * static_cast<std::int64_t>(sizeof(T));
}

template <class T>
struct Plan {
  unsigned blocks;     // one a point
  LossParts<T> parts;  // one of either kind a block

  explicit Plan(const DistanceLossArgs<T>& args)
      : blocks(tile_blocks(args.points, "distance_loss/scan")),
        parts(blocks, blocks, merge_parameters(args.loss.distance, args.width)) {}
};

template <class T>
void launch_distance_loss(const DistanceLossArgs<T>& args, const Plan<T>& plan,
                          cudaStream_t stream) {
  if (plan.blocks > 0) {
    with_distance(args.loss.distance, [&](auto distance) {
      scan_pairs<distance.value, T>
          <<<plan.blocks, threads, static_cast<std::size_t>(shared_bytes(args)), stream>>>(
              args, lanes_for(args.width), plan.parts.costs.data(), plan.parts.merge.data());
      SIAMESE_CHECK_LAUNCH("scan_pairs");
    });
  }
  const double mean = mean_factor(args.pairs.count);
  plan.parts.add_up(mean, mean, args.loss_value, args.merge_gradient, stream);
}

template <class T>
std::optional<std::string> why_unsupported(const DistanceLossArgs<T>& args) {
  if (auto reason = serves_lists_within(args, shared_bytes(args))) return reason;
  if (args.pairs.form == PairForm::dense) {
    return "the points of dense pairs need no search; gather serves them";
  }
  if (args.pairs.count > most_looks / std::max<std::int64_t>(args.points, 1)) {
    return "so many points and pairs are found faster by a sort; gather serves them";
  }
  return std::nullopt;
}

template <class T>
Launch prepare(const DistanceLossArgs<T>& args) {
  with_distance(args.loss.distance, [&](auto distance) {
    allow_shared(scan_pairs<distance.value, T>, shared_bytes(args), "distance_loss/scan");
  });
  const auto plan = std::make_shared<const Plan<T>>(args);
  return traced(args, "scan", precision_of<T>, [args, plan](Stream stream) {
    launch_distance_loss(args, *plan, cuda_stream(stream));
  });
}

template <class T>
Variant<DistanceLossArgs<T>> variant() {
  return {.name = "scan",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 4,
          .why_unsupported = why_unsupported<T>,
          .prepare = prepare<T>};
}

const Register<DistanceLossArgs<float>> float32(variant<float>());
const Register<DistanceLossArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
