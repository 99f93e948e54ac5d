// All pairs, rung 2: every unordered pair once, where the square met it from both ends, and with
// the points in registers. The points i are cut into strips, the points j into chunks of 32; a
// strip meets the chunks from its own first point on. These tasks are numbered through, strip by
// strip, and each block takes a run of them, all as long, so that all end together.
//
// A lane holds several points i of the strip; a chunk lies in shared memory, and in step s lane l
// meets point l + s of it. The derivative by E_j travels with j: in each step it moves on to the
// next lane by shuffles, and after 32 steps it has come around and is complete for the warp. A
// lane's pairs go side by side, without branches: the work of one hides the latency of another.
//
// Each task leaves the gradient of its chunk in a slot, [32, d], and each block that of each strip
// it met, [strip, d]. A second kernel adds up the slots in order: no atomics, the same bits each
// time. A task's slot is written and read once, 8 d bytes a point, against a strip's pairs per
// point.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/loss_parts.h"
#include "kernels/cuda/ordered_sum.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/variant_parts.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int most_warps = 2;           // a block
constexpr int busy_warps = 10;          // on a multiprocessor, for its schedulers to find work
constexpr std::int64_t run_tasks = 32;  // at most: their gradients by E_i are one float32 sum
constexpr int widest = 16;
constexpr std::int64_t most_slot_bytes = std::int64_t{8} << 30;

using Args = AllPairsLossArgs<float>;

/// How many points' E, C and gradient, each no wider than that, fit a lane's registers.
constexpr int most_points_a_lane(int max_width) { return max_width <= 10 ? 4 : 2; }

/// How many warps at once a multiprocessor is to have registers for: lanes with one point have less
/// work side by side.
constexpr int resident_warps(int points_a_lane) { return points_a_lane == 1 ? 16 : 8; }

/// The tasks, a strip and a chunk each, and the runs of them that blocks take.
struct Schedule {
  int warps;  // a block
  int points_a_lane;
  std::int64_t chunks;  // of all points: as many tasks has the first strip
  std::int64_t strips;
  std::int64_t tasks;
  std::int64_t blocks;

  __host__ __device__ std::int64_t strip_chunks() const {
    return std::int64_t{warps} * points_a_lane;
  }
  /// The number of a strip's first task, which is to meet the strip's own first chunk.
  __host__ __device__ std::int64_t first_task(std::int64_t strip) const {
    return strip * chunks - strip_chunks() * (strip * (strip - 1) / 2);
  }
  __device__ std::int64_t chunk(std::int64_t strip, std::int64_t task) const {
    return strip * strip_chunks() + task - first_task(strip);
  }
  __device__ std::int64_t run_begin(std::int64_t block) const { return block * tasks / blocks; }
  /// The block with a task in its run.
  __device__ std::int64_t block(std::int64_t task) const {
    return ((task + 1) * blocks - 1) / tasks;
  }
  /// The slot of a block for a strip that it meets: with each task the sum of the two stays or
  /// grows by one, so that no two come to the same.
  __host__ __device__ static std::int64_t strip_slot(std::int64_t block, std::int64_t strip) {
    return block + strip;
  }
};

/// Row `i` of a matrix [n, width], with zeros past its width and past the last row.
template <int max_width>
__device__ void load_row(const float* matrix, std::int64_t points, std::int64_t width,
                         std::int64_t i, float (&row)[max_width]) {
#pragma unroll
  for (int k = 0; k < max_width; ++k) {
    row[k] = i < points && k < width ? matrix[i * width + k] : 0.0F;
  }
}

/// E and C of a chunk's points in shared memory, a row of four-word parts for each. Their number is
/// odd, so that eight lanes, each with a row of its own, read from all banks.
template <int max_width>
class Chunk {
 public:
  /// Rows `begin` .. `begin + 31`, with zeros past the widths and past the last row.
  __device__ void load(const Args& args, std::int64_t begin) {
    for (int at = static_cast<int>(threadIdx.x); at < warp_size * row_words;
         at += static_cast<int>(blockDim.x)) {
      const std::int64_t j = begin + at / row_words;
      const int word = at % row_words;
      const bool is_e = word < max_width;
      const float* const matrix = is_e ? args.embeddings : args.coordinates;
      const std::int64_t width = is_e ? args.width : args.coordinate_width;
      const int k = is_e ? word : word - max_width;
      words_[at] = j < args.points && k < width ? matrix[j * width + k] : 0.0F;
    }
  }

  /// Both rows of one of the points.
  __device__ void get(int row, float (&both)[2 * max_width]) const {
    const auto* const from = reinterpret_cast<const float4*>(words_ + row * row_words);
#pragma unroll
    for (int k = 0; k < 2 * max_width; k += 4) {
      const float4 part = from[k / 4];
      both[k] = part.x;
      both[k + 1] = part.y;
      both[k + 2] = part.z;
      both[k + 3] = part.w;
    }
  }

 private:
  static constexpr int parts = (2 * max_width + 3) / 4;
  static constexpr int row_words = 4 * (parts % 2 == 1 ? parts : parts + 1);
  static_assert(max_width % 2 == 0);

  alignas(16) float words_[warp_size * row_words];
};

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

/// A lane's points i, of which point p is first + 32 p.
template <Distance distance, Criterion criterion, int max_width, int points_a_lane>
class LanePoints {
 public:
  __device__ void load(const Args& args, std::int64_t first) {
    first_ = first;
#pragma unroll
    for (int p = 0; p < points_a_lane; ++p) {
      load_row(args.embeddings, args.points, args.width, i(p), e_[p]);
      load_row(args.coordinates, args.points, args.coordinate_width, i(p), c_[p]);
#pragma unroll
      for (int k = 0; k < max_width; ++k) gradient_[p][k] = 0.0F;
    }
  }

  /// Meets the chunk of points from `first_j` on. Gives the costs' sum, and leaves in `travelling`
  /// the gradient of point first_j + lane. At the edges some pairs do not count: the same work is
  /// done for them.
  template <bool edge>
  __device__ double meet(const Chunk<max_width>& chunk, std::int64_t first_j, const Args& args,
                         float (&travelling)[max_width]) {
    const int lane = own_lane();
    const auto constant = static_cast<float>(args.loss.constant);
    float costs[points_a_lane] = {};
#pragma unroll 1
    for (int step = 0; step < warp_size; ++step) {
      const int at = (lane + step) & (warp_size - 1);
      float j[2 * max_width];
      chunk.get(at, j);
#pragma unroll
      for (int p = 0; p < points_a_lane; ++p) {
        PairDistance<distance, float> d;
        float squares = 0.0F;
#pragma unroll
        for (int k = 0; k < max_width; ++k) {
          d.add(e_[p][k], j[k]);
          const float difference = c_[p][k] - j[max_width + k];
          squares += difference * difference;
        }
        Cost<float> c = cost<criterion>(constant, d.finish(), root(squares).value);
        if (edge && (first_j + at <= i(p) || first_j + at >= args.points)) c = {0.0F, 0.0F};
        costs[p] += c.value;
        d.scale(c.derivative);
#pragma unroll
        for (int k = 0; k < max_width; ++k) {
          gradient_[p][k] += d.by_a(e_[p][k], j[k]);
          travelling[k] += d.by_b(e_[p][k], j[k]);
        }
      }
#pragma unroll
      for (int k = 0; k < max_width; ++k) {
        travelling[k] = __shfl_sync(full_warp, travelling[k], (lane + 1) % warp_size);
      }
    }
    double sum = 0.0;
#pragma unroll
    for (int p = 0; p < points_a_lane; ++p) sum += static_cast<double>(costs[p]);
    return sum;
  }

  /// The gradient of the points that are among `points` to rows i - begin of a slot [, width].
  __device__ void store(float* slot, std::int64_t begin, std::int64_t points,
                        std::int64_t width) const {
#pragma unroll
    for (int p = 0; p < points_a_lane; ++p) {
      if (i(p) >= points) continue;
#pragma unroll
      for (int k = 0; k < max_width; ++k) {
        if (k < width) slot[(i(p) - begin) * width + k] = gradient_[p][k];
      }
    }
  }

 private:
  __device__ std::int64_t i(int p) const { return first_ + p * warp_size; }

  std::int64_t first_;
  float e_[points_a_lane][max_width];
  float c_[points_a_lane][max_width];
  float gradient_[points_a_lane][max_width];
};

template <Distance distance, Criterion criterion, int max_width, int points_a_lane>
__global__ void __launch_bounds__(most_warps* warp_size, resident_warps(points_a_lane) / most_warps)
    all_pairs_triangle(const Args args, const Schedule schedule,
                       float* __restrict__ task_slots,      // [tasks, 32, d]
                       float* __restrict__ strip_slots,     // [blocks + strips, strip, d]
                       double* __restrict__ block_costs) {  // [blocks]
  __shared__ Chunk<max_width> chunk;
  __shared__ Rows<max_width> g_j[most_warps];
  __shared__ double warp_costs[most_warps];

  const int lane = own_lane();
  const int warp = own_warp();
  const std::int64_t width = args.width;
  constexpr int points_a_warp = points_a_lane * warp_size;
  const std::int64_t strip_points = schedule.strip_chunks() * warp_size;

  double cost_sum = 0.0;
  std::int64_t task = schedule.run_begin(blockIdx.x);
  const std::int64_t run_end = schedule.run_begin(blockIdx.x + 1);
  std::int64_t strip = 0;
  while (task < run_end) {
    while (schedule.first_task(strip + 1) <= task) ++strip;
    const std::int64_t strip_end = schedule.first_task(strip + 1);
    const std::int64_t warp_begin = strip * strip_points + warp * points_a_warp;
    LanePoints<distance, criterion, max_width, points_a_lane> lane_points;
    lane_points.load(args, warp_begin + lane);

    for (const std::int64_t end = run_end < strip_end ? run_end : strip_end; task < end; ++task) {
      const std::int64_t first_j = schedule.chunk(strip, task) * warp_size;
      chunk.load(args, first_j);
      __syncthreads();

      float travelling[max_width] = {};
      const bool all_count =
          warp_begin + points_a_warp <= first_j && first_j + warp_size <= args.points;
      const bool some_count = warp_begin < first_j + warp_size - 1;
      if (all_count) {
        cost_sum += lane_points.template meet<false>(chunk, first_j, args, travelling);
      } else if (some_count) {
        cost_sum += lane_points.template meet<true>(chunk, first_j, args, travelling);
      }

#pragma unroll
      for (int k = 0; k < max_width; ++k) g_j[warp].at(lane, k) = travelling[k];
      __syncthreads();
      float* const slot = task_slots + task * warp_size * width;
      for (int at = static_cast<int>(threadIdx.x); at < warp_size * static_cast<int>(width);
           at += static_cast<int>(blockDim.x)) {
        const int row = at / static_cast<int>(width);
        const int k = at % static_cast<int>(width);
        float sum = 0.0F;
        for (int w = 0; w < schedule.warps; ++w) sum += g_j[w].at(row, k);
        slot[at] = sum;
      }
    }
    lane_points.store(strip_slots + Schedule::strip_slot(blockIdx.x, strip) * strip_points * width,
                      strip * strip_points, args.points, width);
  }

  cost_sum = group_sum(cost_sum, warp_size);
  if (lane == 0) warp_costs[warp] = cost_sum;
  __syncthreads();
  if (threadIdx.x != 0) return;
  double block_cost = 0.0;
  for (int w = 0; w < schedule.warps; ++w) block_cost += warp_costs[w];
  block_costs[blockIdx.x] = block_cost;
}

constexpr int sum_threads = warp_size * 10;

/// A block for each chunk: its gradient as points j, from the tasks of its strip and of those
/// before, and as points i, from the blocks that met its strip.
__global__ void sum_slots(const Schedule schedule,
                          const float* __restrict__ task_slots,   // [tasks, 32, d]
                          const float* __restrict__ strip_slots,  // [blocks + strips, strip, d]
                          std::int64_t points, std::int64_t width, float mean,
                          float* __restrict__ gradient) {  // G [n, d]
  const std::int64_t chunk = blockIdx.x;
  const std::int64_t strip = chunk / schedule.strip_chunks();
  const std::int64_t begin = chunk * warp_size * width;
  const std::int64_t slab = warp_size * width;  // elements of a chunk
  const std::int64_t in_strip = chunk % schedule.strip_chunks() * slab;
  const std::int64_t first_block = schedule.block(schedule.first_task(strip));
  const std::int64_t last_block = schedule.block(schedule.first_task(strip + 1) - 1);
  for (std::int64_t at = threadIdx.x; at < slab && begin + at < points * width; at += blockDim.x) {
    float sum = 0.0F;
#pragma unroll 8
    for (std::int64_t s = 0; s <= strip; ++s) {
      const std::int64_t task = schedule.first_task(s) + chunk - s * schedule.strip_chunks();
      sum += task_slots[task * slab + at];
    }
#pragma unroll 8
    for (std::int64_t block = first_block; block <= last_block; ++block) {
      const std::int64_t slot = Schedule::strip_slot(block, strip);
      sum += strip_slots[slot * schedule.strip_chunks() * slab + in_strip + at];
    }
    gradient[begin + at] = mean * sum;
  }
}

/// Calls function(max_width) with the least compiled width that holds both matrices.
template <class Function>
void with_width(const Args& args, Function&& function) {
  const std::int64_t width = std::max(args.width, args.coordinate_width);
  if (width <= 4) return function(std::integral_constant<int, 4>{});
  if (width <= 10) return function(std::integral_constant<int, 10>{});
  return function(std::integral_constant<int, widest>{});
}

int most_points_a_lane(const Args& args) {
  int most = 0;
  with_width(args, [&](auto max_width) { most = most_points_a_lane(max_width.value); });
  return most;
}

/// In strips as wide as still keep every multiprocessor busy.
Schedule schedule_for(const Args& args) {
  const std::int64_t multiprocessors = device_limits().multiprocessors;
  Schedule schedule{};
  for (const auto& [warps, points_a_lane] :
       {std::pair{most_warps, most_points_a_lane(args)}, {most_warps, 1}, {1, 1}}) {
    schedule.warps = warps;
    schedule.points_a_lane = points_a_lane;
    schedule.chunks = ceil_div(args.points, warp_size);
    schedule.strips = ceil_div(schedule.chunks, schedule.strip_chunks());
    schedule.tasks = schedule.first_task(schedule.strips);
    if (schedule.tasks * warps >= busy_warps * multiprocessors) break;
  }
  const std::int64_t resident = multiprocessors * resident_warps(schedule.points_a_lane);
  schedule.blocks = std::min(
      schedule.tasks, std::max(resident / schedule.warps, ceil_div(schedule.tasks, run_tasks)));
  return schedule;
}

struct Plan {
  Schedule schedule;
  unsigned blocks;
  unsigned sum_blocks;
  Buffer<float> task_slots;
  Buffer<float> strip_slots;
  Buffer<double> block_costs;

  explicit Plan(const Args& args)
      : schedule(schedule_for(args)),
        blocks(tile_blocks(schedule.blocks, "all_pairs_loss/triangle")),
        sum_blocks(tile_blocks(schedule.chunks, "all_pairs_loss/triangle")),
        task_slots(Device::cuda, schedule.tasks * warp_size * args.width),
        strip_slots(Device::cuda, Schedule::strip_slot(schedule.blocks, schedule.strips) *
                                      schedule.strip_chunks() * warp_size * args.width),
        block_costs(Device::cuda, blocks) {}
};

template <Distance distance, Criterion criterion, int max_width>
void launch_triangle(const Args& args, const Plan& plan, cudaStream_t stream) {
  const auto kernel =
      plan.schedule.points_a_lane == 1
          ? all_pairs_triangle<distance, criterion, max_width, 1>
          : all_pairs_triangle<distance, criterion, max_width, most_points_a_lane(max_width)>;
  kernel<<<plan.blocks, plan.schedule.warps * warp_size, 0, stream>>>(
      args, plan.schedule, plan.task_slots.data(), plan.strip_slots.data(),
      plan.block_costs.data());
  SIAMESE_CHECK_LAUNCH("all_pairs_triangle");
}

void launch_all_pairs(const Args& args, const Plan& plan, cudaStream_t stream) {
  const double mean = mean_factor(all_pairs_count(args.points));
  if (plan.blocks > 0) {
    with_unweighted_distance(args.loss.distance, [&](auto distance) {
      with_criterion(args.loss.criterion, [&](auto criterion) {
        with_width(args, [&](auto max_width) {
          launch_triangle<distance.value, criterion.value, max_width.value>(args, plan, stream);
        });
      });
    });
    sum_slots<<<plan.sum_blocks, sum_threads, 0, stream>>>(
        plan.schedule, plan.task_slots.data(), plan.strip_slots.data(), args.points, args.width,
        static_cast<float>(mean), args.gradient);
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
  // Of the slots of tasks, with the strips of so many points; those of strips are fewer.
  const double n = static_cast<double>(args.points);
  const double strip_points = most_warps * most_points_a_lane(args) * warp_size;
  const double bytes =
      n * n / (2.0 * strip_points) * static_cast<double>(args.width) * sizeof(float);
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
