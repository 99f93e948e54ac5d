#pragma once

#include <cstdint>

#include "kernels/cuda/pair_loss.cuh"

// A pair's distance and cost by a group of lanes that share its rows, and the group's share of what
// a distance's weights get from its pairs.
namespace siamese::cuda {

/// D and cost of pair p by a group of lanes, a power of two; every lane of the warp takes part.
template <Distance distance, class T>
struct GroupPair {
  PointPair pair;
  const T* a;
  const T* b;
  Merge<distance, T> merge;
  PairDistance<distance, T> d;
  Cost<T> c;

  __device__ GroupPair(const DistanceLossArgs<T>& args, std::int64_t p, int lane, int lanes)
      : pair(points_of(args.pairs, p)),
        a(args.embeddings + pair.first * args.width),
        b(args.embeddings + pair.second * args.width),
        merge(args.merge, args.width) {
    const auto width = static_cast<int>(args.width);
    for (int k = lane; k < width; k += lanes) d.add(a[k], b[k], merge.weight(k));
    d.group_sum(lanes);
    c = cost(args.loss, d.finish(merge.offset()), args.pairs.targets[p]);
  }
  __device__ T by_a(int k) const { return d.by_a(a[k], b[k], merge.weight(k)); }
  __device__ T by_b(int k) const { return d.by_b(a[k], b[k], merge.weight(k)); }
};

/// A group's share of the merge's gradient, in shared memory; lane l of the group owns the elements
/// l, l + lanes, .. and is the only one to touch them. Nothing for a distance without parameters.
template <Distance distance, class T>
class MergeShare {
 public:
  __device__ MergeShare(T* share, int width, int lane, int lanes)
      : share_(share), width_(width), lane_(lane), lanes_(lanes) {
    if constexpr (has_weights(distance)) {
      const auto count = static_cast<int>(merge_parameters(distance, width));
      for (int k = lane; k < count; k += lanes) share[k] = T(0);
    }
  }
  __device__ void add(const GroupPair<distance, T>& g) {
    if constexpr (has_weights(distance)) {
      for (int k = lane_; k < width_; k += lanes_) {
        share_[k] += g.c.derivative * g.d.term(g.a[k], g.b[k]);
      }
    }
    if constexpr (has_offset(distance)) {
      if (lane_ == (width_ & (lanes_ - 1))) share_[width_] += g.c.derivative;
    }
  }

 private:
  T* share_;
  int width_;
  int lane_;
  int lanes_;
};

/// A group's share of a point's row of G [width], in shared memory, of which lanes own elements as
/// they do of the merge's, and of the loss.
template <Distance distance, class T>
class PointShare {
 public:
  __device__ PointShare(T* row, int width, int lane, int lanes)
      : row_(row), width_(width), lane_(lane), lanes_(lanes) {}

  __device__ void clear() const {
    for (int k = lane_; k < width_; k += lanes_) row_[k] = T(0);
  }
  /// A pair of the point's, which counts for the loss and for the merge at its first.
  __device__ void add(const GroupPair<distance, T>& g, bool is_first,
                      MergeShare<distance, T>& merge) {
    if (lane_ == 0 && is_first) cost_ += static_cast<double>(g.c.value);
    if (is_first) merge.add(g);
    if (g.pair.first == g.pair.second) return;  // both halves of its gradient cancel
    for (int k = lane_; k < width_; k += lanes_) {
      row_[k] += g.c.derivative * (is_first ? g.by_a(k) : g.by_b(k));
    }
  }
  __device__ double cost() const { return cost_; }

 private:
  T* row_;
  int width_;
  int lane_;
  int lanes_;
  double cost_ = 0.0;
};

/// Element k of the sum of groups' shares [groups, count], in order.
template <class T>
__device__ T sum_of_shares(const T* shares, int groups, std::int64_t count, std::int64_t k) {
  T sum = T(0);
  for (int from = 0; from < groups; ++from) sum += shares[from * count + k];
  return sum;
}

/// The sum of a block's shares [groups, count], in order, to its part. All its threads call it.
template <class T>
__device__ void store_merge_part(const T* shares, int groups, std::int64_t count,
                                 T* __restrict__ parts) {  // [blocks, count]
  if (count == 0) return;
  __syncthreads();
  for (std::int64_t k = threadIdx.x; k < count; k += blockDim.x) {
    parts[blockIdx.x * count + k] = sum_of_shares(shares, groups, count, k);
  }
}

}  // namespace siamese::cuda
