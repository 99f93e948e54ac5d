// All pairs, rung 2: every unordered pair once, where the square met it from both ends, and with
// the points in registers. A block takes a tile pair (I, J), I <= J. A lane holds one or two points
// i of tile I; 32 points j at a time lie in shared memory, and in step s lane l meets point l + s
// of them. The derivative by E_j travels with j: in each step it moves on to the next lane by
// shuffles, and after 32 steps it has come around and is complete for the warp.
//
// A block leaves both halves of its gradient in slots of its own, [tiles, n, d]: row i in slot J
// and row j in slot I. A second kernel adds up the slots in order: no atomics, the same bits each
// time. The slots are written and read once, 8 d bytes each, against the tile's pairs per point.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/ordered_sum.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/part_sum.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int most_points_a_lane = 2;
constexpr int most_warps = 8;
constexpr int busy_warps = 12;  // on a multiprocessor, for its schedulers to find work
constexpr int widest = 16;
constexpr std::int64_t most_slot_bytes = std::int64_t{8} << 30;

using Args = AllPairsLossArgs<float>;

/// Row `i` of a matrix [n, width], with zeros past its width and past the last row.
template <int max_width>
__device__ void load_row(const float* matrix, std::int64_t points, std::int64_t width,
                         std::int64_t i, float (&row)[max_width]) {
#pragma unroll
  for (int k = 0; k < max_width; ++k) {
    row[k] = i < points && k < width ? matrix[i * width + k] : 0.0F;
  }
}

/// A matrix [32, max_width] in shared memory, row by row, with a word left free wherever rows would
/// come to the bank of an earlier one again. So no two lanes of a warp are in one bank, whether
/// they go down the rows or along the elements of whole rows; of narrower ones some are.
template <int max_width>
class Rows {
 public:
  __device__ float& at(int row, int k) { return words_[row * max_width + row / lap + k]; }

 private:
  static constexpr int laps = max_width & -max_width;  // the largest power of two in it
  static constexpr int lap = warp_size / laps;         // rows that all begin at different banks
  static_assert(laps <= warp_size);

  float words_[warp_size * max_width + laps - 1];
};

/// Rows `begin` .. `begin + 31` of a matrix [n, width] to shared memory.
template <int max_width>
__device__ void load_rows(const float* matrix, std::int64_t points, std::int64_t width,
                          std::int64_t begin, Rows<max_width>& rows) {
  for (int at = static_cast<int>(threadIdx.x); at < max_width * warp_size;
       at += static_cast<int>(blockDim.x)) {
    const int row = at / max_width;
    const int k = at % max_width;
    const bool exists = begin + row < points && k < width;
    rows.at(row, k) = exists ? matrix[(begin + row) * width + k] : 0.0F;
  }
}

template <Distance distance, int max_width, int points_a_lane>
__global__ void __launch_bounds__(most_warps* warp_size, 1)
    all_pairs_triangle(const Args args, std::int64_t tiles,
                       float* __restrict__ slots,           // [tiles, n, d]
                       double* __restrict__ block_costs) {  // [tiles, tiles]
  __shared__ Rows<max_width> e_j;
  __shared__ Rows<max_width> c_j;
  __shared__ Rows<max_width> g_j[most_warps];
  __shared__ double warp_costs[most_warps];

  const std::int64_t tile_i = blockIdx.x / tiles;
  const std::int64_t tile_j = blockIdx.x % tiles;
  if (tile_j < tile_i) {
    if (threadIdx.x == 0) block_costs[blockIdx.x] = 0.0;
    return;
  }
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int warps = static_cast<int>(blockDim.x) / warp_size;
  const std::int64_t n = args.points;
  const std::int64_t width = args.width;
  constexpr int points_a_warp = points_a_lane * warp_size;
  const std::int64_t tile_points = warps * points_a_warp;

  std::int64_t i[points_a_lane];
  float e_i[points_a_lane][max_width];
  float c_i[points_a_lane][max_width];
  float g_i[points_a_lane][max_width] = {};
#pragma unroll
  for (int p = 0; p < points_a_lane; ++p) {
    i[p] = tile_i * tile_points + warp * points_a_warp + p * warp_size + lane;
    load_row(args.embeddings, n, width, i[p], e_i[p]);
    load_row(args.coordinates, n, args.coordinate_width, i[p], c_i[p]);
  }

  double cost_sum = 0.0;
  const std::int64_t j_begin = tile_j * tile_points;
  const std::int64_t j_end = j_begin + tile_points < n ? j_begin + tile_points : n;
  for (std::int64_t first_j = j_begin; first_j < j_end; first_j += warp_size) {
    load_rows(args.embeddings, n, width, first_j, e_j);
    load_rows(args.coordinates, n, args.coordinate_width, first_j, c_j);
    __syncthreads();

    float travelling[max_width] = {};  // the derivative by E_j of the j at hand
    for (int step = 0; step < warp_size; ++step) {
      const int at = (lane + step) % warp_size;
      const std::int64_t j = first_j + at;
#pragma unroll
      for (int p = 0; p < points_a_lane; ++p) {
        // All do the same work, so that a lane's points go side by side; at the edges some of it
        // does not count.
        const bool counts = i[p] < j && j < n;
        PairDistance<distance, float> d;
        float squares = 0.0F;
#pragma unroll
        for (int k = 0; k < max_width; ++k) {
          d.add(e_i[p][k], e_j.at(at, k));
          const float difference = c_i[p][k] - c_j.at(at, k);
          squares += difference * difference;
        }
        const Cost<float> c = cost(args.loss, d.finish(), sqrt(squares));
        cost_sum += counts ? static_cast<double>(c.value) : 0.0;
        const float derivative = counts ? c.derivative : 0.0F;
#pragma unroll
        for (int k = 0; k < max_width; ++k) {
          g_i[p][k] += derivative * d.by_a(e_i[p][k], e_j.at(at, k));
          travelling[k] += derivative * d.by_b(e_i[p][k], e_j.at(at, k));
        }
      }
#pragma unroll
      for (int k = 0; k < max_width; ++k) {
        travelling[k] = __shfl_sync(full_warp, travelling[k], (lane + 1) % warp_size);
      }
    }

#pragma unroll
    for (int k = 0; k < max_width; ++k) g_j[warp].at(lane, k) = travelling[k];
    __syncthreads();
    for (int at = static_cast<int>(threadIdx.x); at < warp_size * static_cast<int>(width);
         at += static_cast<int>(blockDim.x)) {
      const int row = at / static_cast<int>(width);
      const int k = at % static_cast<int>(width);
      float sum = 0.0F;
      for (int w = 0; w < warps; ++w) sum += g_j[w].at(row, k);
      if (first_j + row < n) slots[(tile_i * n + first_j + row) * width + k] = sum;
    }
  }

  __syncthreads();  // on the diagonal both halves share a slot, and the other one is written
#pragma unroll
  for (int p = 0; p < points_a_lane; ++p) {
    if (i[p] >= n) continue;
    float* const row = slots + (tile_j * n + i[p]) * width;
#pragma unroll
    for (int k = 0; k < max_width; ++k) {
      if (k < width) row[k] = (tile_i == tile_j ? row[k] : 0.0F) + g_i[p][k];
    }
  }

  cost_sum = group_sum(cost_sum, warp_size);
  if (lane == 0) warp_costs[warp] = cost_sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double block_cost = 0.0;
  for (int w = 0; w < warps; ++w) block_cost += warp_costs[w];
  block_costs[blockIdx.x] = block_cost;
}

constexpr int sum_threads = 256;

__global__ void sum_slots(const float* __restrict__ slots,  // [tiles, count]
                          std::int64_t tiles, std::int64_t count, float mean,
                          float* __restrict__ gradient) {  // G [count]
  for (std::int64_t at = grid_thread(); at < count; at += grid_threads()) {
    gradient[at] = mean * part_sum(slots, tiles, count, at);
  }
}

/// The cut into tiles: as large as still keep every multiprocessor busy.
struct Tiling {
  int warps;
  int points_a_lane;
  std::int64_t tiles;
};

Tiling tiling_for(std::int64_t points) {
  constexpr Tiling sizes[] = {{8, 2, 0}, {4, 2, 0}, {2, 2, 0}, {2, 1, 0}, {1, 1, 0}};
  Tiling tiling{};
  for (const Tiling& size : sizes) {
    tiling = size;
    tiling.tiles = ceil_div(points, std::int64_t{size.warps} * size.points_a_lane * warp_size);
    const std::int64_t warps = tiling.tiles * (tiling.tiles + 1) / 2 * size.warps;
    if (warps >= busy_warps * device_limits().multiprocessors) break;
  }
  return tiling;
}

struct Plan {
  Tiling tiling;
  unsigned blocks;
  Buffer<float> slots;
  Buffer<double> block_costs;

  explicit Plan(const Args& args)
      : tiling(tiling_for(args.points)),
        blocks(tile_blocks(tiling.tiles * tiling.tiles, "all_pairs_loss/triangle")),
        slots(Device::cuda, tiling.tiles * args.points * args.width),
        block_costs(Device::cuda, blocks) {}
};

/// Calls function(max_width) with the least compiled width that holds both matrices.
template <class Function>
void with_width(const Args& args, Function&& function) {
  const std::int64_t width = std::max(args.width, args.coordinate_width);
  if (width <= 4) return function(std::integral_constant<int, 4>{});
  if (width <= 10) return function(std::integral_constant<int, 10>{});
  return function(std::integral_constant<int, widest>{});
}

void launch_all_pairs(const Args& args, const Plan& plan, cudaStream_t stream) {
  // One over the number of pairs; written so that fewer than two points give a finite number.
  const double n = static_cast<double>(args.points);
  const double mean = args.points < 2 ? 0.0 : 2.0 / (n * (n - 1.0));
  if (plan.blocks > 0) {
    with_unweighted_distance(args.loss.distance, [&](auto distance) {
      with_width(args, [&](auto max_width) {
        const auto kernel = plan.tiling.points_a_lane == 1
                                ? all_pairs_triangle<distance.value, max_width.value, 1>
                                : all_pairs_triangle<distance.value, max_width.value, 2>;
        kernel<<<plan.blocks, plan.tiling.warps * warp_size, 0, stream>>>(
            args, plan.tiling.tiles, plan.slots.data(), plan.block_costs.data());
        SIAMESE_CHECK_LAUNCH("all_pairs_triangle");
      });
    });
    const std::int64_t count = args.points * args.width;
    sum_slots<<<strided_blocks(count, sum_threads), sum_threads, 0, stream>>>(
        plan.slots.data(), plan.tiling.tiles, count, static_cast<float>(mean), args.gradient);
    SIAMESE_CHECK_LAUNCH("sum_slots");
  }
  launch_ordered_sum(plan.block_costs.data(), plan.blocks, mean, args.loss_value, stream);
}

std::optional<std::string> why_unsupported(const Args& args) {
  if (has_weights(args.loss.distance)) {
    return "the gradient by a distance's weights does not fit a lane's registers; square serves it";
  }
  if (std::max(args.width, args.coordinate_width) > widest) {
    return "embeddings or coordinates wider than 16 do not fit a lane's registers; square serves "
           "them";
  }
  // The tiles of a number of points large enough for this to matter are the largest ones.
  const std::int64_t tiles = ceil_div(args.points, most_warps * most_points_a_lane * warp_size);
  const double bytes = static_cast<double>(tiles) * static_cast<double>(args.points) *
                       static_cast<double>(args.width) * sizeof(float);
  if (bytes > static_cast<double>(most_slot_bytes)) {
    return "the partial gradients of so many points pass 8 GiB; square serves them";
  }
  return std::nullopt;
}

Launch prepare(const Args& args) {
  const auto plan = std::make_shared<const Plan>(args);
  return traced(args, "triangle", Precision::float32, [args, plan](Stream stream) {
    launch_all_pairs(args, *plan, cuda_stream(stream));
  });
}

const Register<Args> float32({.name = "triangle",
                              .device = Device::cuda,
                              .precision = Precision::float32,
                              .rung = 2,
                              .why_unsupported = why_unsupported,
                              .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
