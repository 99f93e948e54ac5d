#pragma once

#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "kernels/cuda/launch.h"
#include "kernels/multiples.h"

namespace siamese::cuda {

/// Which tiles a product C [rows, columns] is cut into.
struct TiledPlan {
  int tile_rows;  ///< 32 or 128
  int tile_columns;
  std::int64_t parts;       ///< into which the depth is cut; a block sums one part of one tile
  std::int64_t part_depth;  ///< of every part but perhaps the last

  std::int64_t blocks(std::int64_t rows, std::int64_t columns) const {
    return ceil_div(rows, tile_rows) * ceil_div(columns, tile_columns) * parts;
  }
};

/// What a tile's columns are chosen by: the widths there are, the widest first, and what a tile
/// costs besides its columns - reading its rows - in columns of work. 0 asks for the least padding
/// alone. And into how many blocks a multiprocessor a deep product is cut, which all fit at once.
struct TileWidths {
  std::initializer_list<int> widths;
  int rows_cost;
  std::int64_t blocks_per_multiprocessor;
};

/// Tiles for C [rows, columns], the rows as many as still leave every multiprocessor a block.
TiledPlan plan_product(const TileWidths& widths, std::int64_t rows, std::int64_t columns,
                       std::int64_t depth);

/// Tiles for a C that is small against its depth, which is cut into parts to fill the device.
TiledPlan plan_deep_product(const TileWidths& widths, std::int64_t rows, std::int64_t columns,
                            std::int64_t depth);

/// The widths that a rung compiles its kernel for, and the plans that choose among them.
template <int rows_cost, int blocks_per_multiprocessor, int... widths>
struct Tiles {
  static TiledPlan plan(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
    return plan_product({{widths...}, rows_cost, blocks_per_multiprocessor}, rows, columns, depth);
  }
  static TiledPlan plan_deep(std::int64_t rows, std::int64_t columns, std::int64_t depth) {
    return plan_deep_product({{widths...}, rows_cost, blocks_per_multiprocessor}, rows, columns,
                             depth);
  }

  /// Calls function(rows, columns) with the sides of the plan's tile as constants.
  template <class Function>
  static void with_tile(const TiledPlan& plan, Function&& function) {
    const auto with_columns = [&](auto rows) {
      const auto try_width = [&](auto columns) {
        if (plan.tile_columns == columns.value) function(rows, columns);
      };
      (try_width(std::integral_constant<int, widths>{}), ...);
    };
    if (plan.tile_rows == 32) return with_columns(std::integral_constant<int, 32>{});
    return with_columns(std::integral_constant<int, 128>{});
  }
};

}  // namespace siamese::cuda
