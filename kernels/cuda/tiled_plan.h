#pragma once

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/launch.h"

namespace siamese::cuda {

/// Which tiles a product of the tiled rungs is cut into.
struct TiledPlan {
  int tile_rows;
  int tile_columns;
  std::int64_t parts;       ///< into which the depth is cut; a block sums one part of one tile
  std::int64_t part_depth;  ///< of every part but perhaps the last

  std::int64_t blocks(std::int64_t rows, std::int64_t columns) const {
    return ceil_div(rows, tile_rows) * ceil_div(columns, tile_columns) * parts;
  }
};

/// Tiles for C [rows, columns]: the columns with the least padding, the rows as many as still leave
/// every multiprocessor a block.
TiledPlan plan_product(std::int64_t rows, std::int64_t columns, std::int64_t depth);

/// Tiles for a C that is small against its depth, which is cut into parts to fill the device.
TiledPlan plan_deep_product(std::int64_t rows, std::int64_t columns, std::int64_t depth);

/// Calls function(rows, columns) with the tile's sides as constants.
template <class Function>
void with_tile(const TiledPlan& plan, Function&& function) {
  const auto with_columns = [&](auto rows) {
    switch (plan.tile_columns) {
      case 8:
        return function(rows, std::integral_constant<int, 8>{});
      case 16:
        return function(rows, std::integral_constant<int, 16>{});
      case 40:
        return function(rows, std::integral_constant<int, 40>{});
      default:
        return function(rows, std::integral_constant<int, 64>{});
    }
  };
  if (plan.tile_rows == 32) return with_columns(std::integral_constant<int, 32>{});
  return with_columns(std::integral_constant<int, 128>{});
}

}  // namespace siamese::cuda
