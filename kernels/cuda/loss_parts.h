#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/cuda/ordered_sum.h"
#include "kernels/device.h"

namespace siamese::cuda {

/// What makes a mean of the sum over `count` pairs: 1 / count, or 0 for none.
constexpr double mean_factor(std::int64_t count) {
  return count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
}

/// What the kernel of a loss leaves of its costs and of the gradient of the merge's parameters.
template <class T>
struct LossParts {
  Buffer<double> costs;
  std::int64_t merge_count;
  std::int64_t merge_width;
  Buffer<T> merge;  // [merge_count, merge_width]

  LossParts(std::int64_t cost_count, std::int64_t merge_count, std::int64_t merge_width)
      : costs(Device::cuda, cost_count),
        merge_count(merge_count),
        merge_width(merge_width),
        merge(Device::cuda, merge_count * merge_width) {}

  /// Their sums, each times a factor, on `stream`.
  void add_up(double cost_factor, double merge_factor, double* loss, T* merge_gradient,
              cudaStream_t stream) const {
    launch_ordered_sum(costs.data(), costs.size(), cost_factor, loss, stream);
    if (merge_width > 0) {
      launch_ordered_sums(merge.data(), merge_count, merge_width, merge_factor, merge_gradient,
                          stream);
    }
  }
};

}  // namespace siamese::cuda
