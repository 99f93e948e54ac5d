#pragma once

#include <array>
#include <cstdint>
#include <numeric>

#include "kernels/cpu/tiled_network.h"

namespace siamese {

/// Dense pairs in a tile: half of its points are the pairs' first ones, the next rows are their
/// second ones, so that loss and gradient need nothing but the tile.
inline constexpr std::int64_t pairs_per_tile = points_per_tile / 2;

/// The rows of a tile's points as pair lists: pair p is rows (p, pairs + p).
class DenseTileRows {
 public:
  explicit DenseTileRows(std::int64_t pairs) {
    std::iota(first_.begin(), first_.end(), PointIndex{0});
    std::iota(second_.begin(), second_.end(), static_cast<PointIndex>(pairs));
  }
  template <class T>
  PairRows<T> rows(std::int64_t pairs, const T* targets) const {
    return {pairs, first_.data(), second_.data(), targets};
  }

 private:
  std::array<PointIndex, pairs_per_tile> first_;
  std::array<PointIndex, pairs_per_tile> second_;
};

}  // namespace siamese
