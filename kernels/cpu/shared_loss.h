#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/tiled.h"
#include "kernels/device.h"
#include "kernels/ops.h"

// Losses whose pairs share points. Each thread adds the gradients of its share of the pairs to rows
// of its own; whoever needs a row sums it over the threads, in their order. So the same number of
// threads gives the same bits.
//
// By all threads:   run | barrier | gradient rows, wherever they are needed

namespace siamese {

/// The weight of a pair in the mean over `pairs`; 1 where there are none.
inline double mean_weight(std::int64_t pairs) {
  return 1.0 / static_cast<double>(std::max<std::int64_t>(pairs, 1));
}

/// What threads found for a batch: each its sum of costs, a cache line apart.
class CostSums {
 public:
  explicit CostSums(int threads) : sums_(static_cast<std::size_t>(threads)) {}
  void set(int thread, double sum) { sums_[static_cast<std::size_t>(thread)].value = sum; }
  /// In the order of the threads.
  double mean(int threads, std::int64_t pairs) const {
    double sum = 0.0;
    for (int thread = 0; thread < threads; ++thread) {
      sum += sums_[static_cast<std::size_t>(thread)].value;
    }
    return sum * mean_weight(pairs);
  }

 private:
  struct alignas(64) Sum {
    double value = 0.0;
  };
  std::vector<Sum> sums_;
};

/// The merge's parameters where each thread reads them, and each thread's gradient by them.
template <class T>
class ThreadMerges {
 public:
  ThreadMerges(Distance distance, std::int64_t width, int threads);

  /// A thread's copy of the parameters, and a gradient of 0.
  Merge<T> begin(int thread, const T* parameters) const;
  std::int64_t count() const { return count_; }
  /// The gradient summed over the threads, in their order.
  const T* sum(int threads) const;

 private:
  std::int64_t count_;
  std::int64_t stride_;
  Buffer<T> parameters_, gradients_;  // [threads, stride]
};

/// Pairs by a list.
template <class T>
class ListedLoss {
 public:
  ListedLoss(std::int64_t most_points, std::int64_t width, int threads);

  /// This thread's share of the pairs, for embeddings [points, width]; returns its sum of costs.
  double run(const TiledKernels<T>& kernels, const Loss& loss, std::int64_t points,
             const Pairs<T>& pairs, TileView<const T> embeddings, Merge<T> merge, Team team) const;
  /// Rows of G, begin .. begin + rows - 1.
  void gradient_rows(std::int64_t begin, std::int64_t rows, int threads, TileView<T> g) const;

 private:
  T* gradient(int thread) const { return gradients_.data() + thread * most_points_ * stride_; }

  std::int64_t most_points_;
  std::int64_t width_;
  std::int64_t stride_;
  Buffer<T> gradients_;  // [threads, most_points, stride]
};

/// Every pair of points.
template <class T>
class AllPairsLoss {
 public:
  AllPairsLoss(std::int64_t points, std::int64_t width, std::int64_t coordinate_width, int threads);

  /// As ListedLoss, with a barrier inside; coordinates [points, coordinate_width] are contiguous.
  double run(const TiledKernels<T>& kernels, const Loss& loss, const T* coordinates,
             TileView<const T> embeddings, Merge<T> merge, Team team) const;
  void gradient_rows(std::int64_t begin, std::int64_t rows, int threads, TileView<T> g) const;

 private:
  T* gradient(int thread) const { return gradients_.data() + thread * width_ * stride_; }

  std::int64_t points_;
  std::int64_t width_;
  std::int64_t coordinate_width_;
  std::int64_t stride_;  // of features
  Buffer<T> embeddings_, coordinates_, inverse_norms_;
  Buffer<T> gradients_;  // [threads, width, stride]
};

}  // namespace siamese
