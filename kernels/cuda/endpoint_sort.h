#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/device.h"
#include "model/pairs.h"

namespace siamese::cuda {

/// The endpoints of m pairs, sorted by point: endpoint e < m is the first point of pair e, endpoint
/// m + p the second one of pair p. Endpoints of the same point keep their order, so the result is
/// the same each time. Holds the memory for one number of points and of pairs.
///
/// A stable radix sort by digits of 8 bits: 12 bytes in and out of memory per endpoint and digit,
/// in one launch a digit for up to 1,024 pairs, and in three for more.
class EndpointSort {
 public:
  EndpointSort(std::int64_t points, std::int64_t pairs);

  /// Sorts first [m] and second [m] on `stream`.
  void launch(const PointIndex* first, const PointIndex* second, cudaStream_t stream) const;

  /// The result: the point of each sorted endpoint, ascending, and which endpoint it is [2 m].
  const PointIndex* points() const { return point_[passes_ % 2].data(); }
  const std::int64_t* endpoints() const { return endpoint_[passes_ % 2].data(); }

 private:
  std::int64_t points_;
  std::int64_t pairs_;
  int passes_;
  std::int64_t blocks_;
  Buffer<PointIndex> point_[2];
  Buffer<std::int64_t> endpoint_[2];
  Buffer<std::int64_t> starts_;  // [digits, blocks]: where a block's go among all of a digit
  Buffer<std::int64_t> totals_;  // [digits]
};

}  // namespace siamese::cuda
