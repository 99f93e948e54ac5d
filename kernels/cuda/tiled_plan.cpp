#include "kernels/cuda/tiled_plan.h"

#include <algorithm>

#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int small_rows = 32;
constexpr int large_rows = 128;
constexpr std::int64_t slice_depth = 16;              // a multiple of every rung's slices
constexpr std::int64_t least_part = 8 * slice_depth;  // below it a part's own sums are not worth it

// The cheapest width; the widest of equals.
int columns_for(const TileWidths& choice, std::int64_t columns) {
  const auto cost = [&](int width) {
    return ceil_div(columns, width) * (width + choice.rows_cost);
  };
  return *std::min_element(choice.widths.begin(), choice.widths.end(),
                           [&](int a, int b) { return cost(a) < cost(b); });
}

}  // namespace

TiledPlan plan_product(const TileWidths& widths, std::int64_t rows, std::int64_t columns,
                       std::int64_t depth) {
  TiledPlan plan{large_rows, columns_for(widths, columns), 1, depth};
  if (plan.blocks(rows, columns) < device_limits().multiprocessors) plan.tile_rows = small_rows;
  return plan;
}

TiledPlan plan_deep_product(const TileWidths& widths, std::int64_t rows, std::int64_t columns,
                            std::int64_t depth) {
  // Small tiles run slower; they have to save a quarter of the padding.
  const bool large = 4 * round_up(rows, large_rows) < 5 * round_up(rows, small_rows);
  TiledPlan plan{large ? large_rows : small_rows, columns_for(widths, columns), 1, depth};
  const std::int64_t tiles = plan.blocks(rows, columns);
  const std::int64_t wanted =
      widths.blocks_per_multiprocessor * device_limits().multiprocessors / tiles;
  const std::int64_t parts = std::min(wanted, ceil_div(depth, least_part));
  if (parts > 1) {
    plan.part_depth = round_up(ceil_div(depth, parts), slice_depth);
    plan.parts = ceil_div(depth, plan.part_depth);
  }
  return plan;
}

}  // namespace siamese::cuda
