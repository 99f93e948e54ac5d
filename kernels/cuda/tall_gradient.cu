#include "kernels/cuda/tall_gradient.h"

#include <cuda_pipeline_primitives.h>

#include <algorithm>
#include <type_traits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/shared_memory.h"

// Products that are as deep as a batch has points, for the chain rungs. A tile of the tiled rungs
// is read by every block that another tile of the same points goes to; here a block has the whole
// of C, so that every element of h and dz is fetched from memory once.

namespace siamese::cuda {
namespace {

constexpr int pack = Pack<float>::size;

namespace patches {

constexpr int threads = 512;
constexpr int least_groups = threads * 3 / 4;  // with fewer, smaller tiles do as well
constexpr int rows = 8;                        // of a thread's patch of dW, two packs
constexpr int columns = 10;                    // two packs and a pair
constexpr int slice_depth = 16;                // points in shared memory at a time
constexpr int stages = 4;                      // slices that are at work or on their way

/// The distance of a patch's packs, or of its pair: each a stretch of all threads' side by side.
__host__ __device__ int row_groups(const TallGradient& g) { return g.inputs / rows; }
__host__ __device__ int column_groups(const TallGradient& g) { return g.outputs / columns; }

__host__ __device__ int slice_elements(const TallGradient& g) {
  return slice_depth * (g.inputs + g.outputs);
}
std::int64_t shared_bytes(const TallGradient& g) {
  return std::int64_t{stages} * slice_elements(g) * 4;
}

bool serves(const TallGradient& g) {
  const std::int64_t groups = std::int64_t{row_groups(g)} * column_groups(g);
  return g.inputs % rows == 0 && g.outputs % columns == 0 && g.outputs % pack == 0 &&
         holds_packs(g.h) && holds_packs(g.dz) && groups >= least_groups && groups <= threads &&
         g.outputs <= threads && shared_bytes(g) <= shared_limit(shared_bytes_80);
}

/// Sets out with `left` rows, at most a slice; zeros behind them.
__device__ void begin_rows(float* to, const float* from, int width, int left) {
  constexpr int bytes = pack * sizeof(float);
  const int packs = slice_depth * width / pack;
#pragma unroll 1  // at most a few
  for (int i = static_cast<int>(threadIdx.x); i < packs; i += threads) {
    const bool exists = i * pack < min(left, slice_depth) * width;
    __pipeline_memcpy_async(to + i * pack, from + i * pack, bytes, exists ? 0 : bytes);
  }
}

/// A block's part of C: a thread keeps a patch of dW, 5 loads for 80 multiply-adds, and threads of
/// one column each add up db. Slices are rows as they lie in memory, h's and then dz's.
__global__ void __launch_bounds__(threads, 1)
    patch_gradient(const TallGradient g, std::int64_t part_depth, float* __restrict__ parts) {
  extern __shared__ __align__(16) float slices[];
  const int thread = static_cast<int>(threadIdx.x);
  const int column_group = thread % column_groups(g);
  const int row = thread / column_groups(g) * pack;
  const int pack_column = column_group * pack;
  const int pair_column = (2 * column_groups(g)) * pack + column_group * 2;
  const int next_row = row_groups(g) * pack;
  const int next_column = column_groups(g) * pack;
  const bool works = thread < row_groups(g) * column_groups(g);
  const std::int64_t part = blockIdx.x;
  const std::int64_t first = part * part_depth;
  const int depth = static_cast<int>(min(part_depth, g.points - first));

  int begun = 0;
  const auto begin = [&](int stage) {
    if (begun < depth) {
      float* const to = slices + stage * slice_elements(g);
      const std::int64_t k = first + begun;
      begin_rows(to, g.h + k * g.inputs, g.inputs, depth - begun);
      begin_rows(to + slice_depth * g.inputs, g.dz + k * g.outputs, g.outputs, depth - begun);
    }
    __pipeline_commit();
    begun += slice_depth;
  };

  float sums[rows][columns] = {};
  float bias = 0.0F;
#pragma unroll
  for (int early = 0; early < stages - 1; ++early) begin(early);
  int stage = 0;
  for (int k = 0; k < depth; k += slice_depth) {
    __pipeline_wait_prior(stages - 2);
    __syncthreads();
    // Into the slice that all have left behind.
    begin((stage + stages - 1) % stages);
    const float* const h = slices + stage * slice_elements(g);
    const float* const dz = h + slice_depth * g.inputs;
    if (works) {
      const float* a_line = h + row;
      const float* b_line = dz + pack_column;
      const float* pair_line = dz + pair_column;
#pragma unroll 2
      for (int j = 0; j < slice_depth; ++j) {
        const Pack<float> a[2] = {load_pack(a_line), load_pack(a_line + next_row)};
        const Pack<float> b[2] = {load_pack(b_line), load_pack(b_line + next_column)};
        const float2 pair = *reinterpret_cast<const float2*>(pair_line);
#pragma unroll
        for (int r = 0; r < rows; ++r) {
          const float factor = a[r / pack].elements[r % pack];
#pragma unroll
          for (int c = 0; c < 2 * pack; ++c) {
            sums[r][c] += factor * b[c / pack].elements[c % pack];
          }
          sums[r][2 * pack] += factor * pair.x;
          sums[r][2 * pack + 1] += factor * pair.y;
        }
        a_line += g.inputs;
        b_line += g.outputs;
        pair_line += g.outputs;
      }
    }
    if (thread < g.outputs) {
#pragma unroll 4
      for (int j = 0; j < slice_depth; ++j) bias += dz[j * g.outputs + thread];
    }
    stage = (stage + 1) % stages;
  }

  float* const c = parts + part * (g.inputs + 1) * g.outputs;
  if (thread < g.outputs) c[g.inputs * g.outputs + thread] = bias;
  if (!works) return;
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    float* const line = c + (row + r / pack * next_row + r % pack) * g.outputs;
#pragma unroll
    for (int p = 0; p < 2; ++p) {
      const float* const four = &sums[r][p * pack];
      store_pack(line + pack_column + p * next_column, {four[0], four[1], four[2], four[3]});
    }
    *reinterpret_cast<float2*>(line + pair_column) = {sums[r][2 * pack], sums[r][2 * pack + 1]};
  }
}

}  // namespace patches

namespace stripes {

constexpr int threads = 256;
constexpr int most_narrow = 16;
constexpr int least_packs = 16;
constexpr int ahead = 8;   // points of a thread whose loads are on their way together
constexpr int rounds = 2;  // of these, to a slab of the narrow side in shared memory
constexpr std::int64_t most_shared_bytes = 48 * 1024;  // without opting in

/// The narrow side is h or dz; the other is wide. h's column of ones makes the narrow side a column
/// wider, or is one pack more of the wide side.
__host__ __device__ bool h_is_narrow(const TallGradient& g) { return g.inputs < g.outputs; }
__host__ __device__ int wide_columns(const TallGradient& g) { return max(g.inputs, g.outputs); }
__host__ __device__ int packs(const TallGradient& g) {
  return wide_columns(g) / pack + (h_is_narrow(g) ? 0 : 1);
}
int narrow(const TallGradient& g) { return h_is_narrow(g) ? g.inputs + 1 : g.outputs; }
__host__ __device__ int slab_points(const TallGradient& g) {
  return rounds * ahead * (threads / packs(g));
}

std::int64_t shared_bytes(const TallGradient& g) {
  return ceil_div(narrow(g), pack) * pack * (packs(g) * pack + 2 * slab_points(g)) * 4;
}

bool serves(const TallGradient& g) {
  return narrow(g) <= most_narrow && wide_columns(g) % pack == 0 &&
         holds_packs(h_is_narrow(g) ? g.dz : g.h) && packs(g) >= least_packs &&
         packs(g) <= threads && shared_bytes(g) <= most_shared_bytes;
}

/// A block's part of C. Neighbouring threads take neighbouring packs of a point's wide side; the
/// points go round the block's groups of so many threads, whose sums are added in order. The narrow
/// side comes by slabs of points, of which one is at work and one on its way.
template <int narrow>
__global__ void __launch_bounds__(threads, 2)
    stripe_gradient(const TallGradient g, std::int64_t part_depth, float* __restrict__ parts) {
  extern __shared__ __align__(16) float slabs[];  // [2][points, narrow]
  const int thread = static_cast<int>(threadIdx.x);
  const int groups = threads / packs(g);
  const int group = thread / packs(g);
  const int column = thread % packs(g) * pack;
  const bool is_wide = column < wide_columns(g);  // or h's column of ones
  const int slab_elements = slab_points(g) * narrow;
  const int other_columns = min(g.inputs, g.outputs);
  const std::int64_t part = blockIdx.x;
  const std::int64_t k_end = min((part + 1) * part_depth, g.points);

  // Zeros for points that are not there, so that ones do not count for them.
  const auto begin = [&](float* slab, std::int64_t k) {
    const float* const from = (h_is_narrow(g) ? g.h : g.dz) + k * other_columns;
    const std::int64_t left = (k_end - k) * other_columns;
    for (int i = thread; i < slab_points(g) * other_columns; i += threads) {
      __pipeline_memcpy_async(slab + i / other_columns * narrow + i % other_columns, from + i,
                              sizeof(float), i < left ? 0 : sizeof(float));
    }
    __pipeline_commit();
  };
  for (int point = thread; point < 2 * slab_points(g); point += threads) {
    for (int i = other_columns; i < narrow; ++i) slabs[point * narrow + i] = 1.0F;
  }

  float sums[narrow][pack] = {};
  const float* const wide = (h_is_narrow(g) ? g.dz : g.h) + column;
  int at_work = 0;
  begin(slabs, part * part_depth);
  for (std::int64_t k = part * part_depth; k < k_end; k += slab_points(g)) {
    __pipeline_wait_prior(0);
    __syncthreads();
    const float* const slab = slabs + at_work * slab_elements;
    at_work = 1 - at_work;
    begin(slabs + at_work * slab_elements, k + slab_points(g));
    if (group >= groups) continue;
#pragma unroll 1
    for (int first = group; first < slab_points(g); first += ahead * groups) {
      Pack<float> b[ahead];
#pragma unroll
      for (int n = 0; n < ahead; ++n) {
        const std::int64_t point = k + first + n * groups;
        b[n] = load_pack_if(is_wide && point < k_end, wide + point * wide_columns(g));
      }
#pragma unroll
      for (int n = 0; n < ahead; ++n) {
        if (!is_wide) b[n].elements[0] = 1.0F;
        const float* const line = slab + (first + n * groups) * narrow;
#pragma unroll
        for (int i = 0; i < narrow; i += pack) {
          const Pack<float> a = load_pack(line + i);
#pragma unroll
          for (int r = 0; r < pack; ++r) {
#pragma unroll
            for (int e = 0; e < pack; ++e) sums[i + r][e] += a.elements[r] * b[n].elements[e];
          }
        }
      }
    }
  }

  __pipeline_wait_prior(0);
  float* const totals = slabs + 2 * slab_elements;  // [narrow, packs * pack]
  for (int adding = 0; adding < groups; ++adding) {
    if (group == adding) {
#pragma unroll
      for (int i = 0; i < narrow; ++i) {
        float* const total = totals + i * packs(g) * pack + column;
#pragma unroll
        for (int e = 0; e < pack; ++e) total[e] = (group > 0 ? total[e] : 0.0F) + sums[i][e];
      }
    }
    __syncthreads();
  }

  const int elements = (g.inputs + 1) * g.outputs;
  for (int at = thread; at < elements; at += threads) {
    const int input = at / g.outputs;
    const int output = at % g.outputs;
    parts[part * elements + at] = totals[h_is_narrow(g) ? input * packs(g) * pack + output
                                                        : output * packs(g) * pack + input];
  }
}

}  // namespace stripes

constexpr std::int64_t least_depth = 64;  // points of a block

TallPlan plan(TallKernel kernel, std::int64_t points, std::int64_t blocks) {
  const std::int64_t parts = std::max(std::int64_t{2}, blocks);
  const std::int64_t depth =
      ceil_div(ceil_div(points, parts), patches::slice_depth) * patches::slice_depth;
  return {kernel, ceil_div(points, depth), depth};
}

}  // namespace

std::optional<TallPlan> plan_tall(const TallGradient& g) {
  const std::int64_t multiprocessors = device_limits().multiprocessors;
  if (g.points < least_depth * multiprocessors) return std::nullopt;
  if (patches::serves(g)) {
    allow_shared(patches::patch_gradient, patches::shared_bytes(g), "patch_gradient");
    return plan(TallKernel::patches, g.points, multiprocessors);
  }
  if (stripes::serves(g)) return plan(TallKernel::stripes, g.points, 2 * multiprocessors);
  return std::nullopt;
}

void launch_tall(const TallGradient& g, const TallPlan& plan, float* parts, cudaStream_t stream) {
  const auto blocks = static_cast<unsigned>(plan.parts);
  if (plan.kernel == TallKernel::patches) {
    patches::patch_gradient<<<blocks, patches::threads,
                              static_cast<std::size_t>(patches::shared_bytes(g)), stream>>>(
        g, plan.part_depth, parts);
    SIAMESE_CHECK_LAUNCH("patch_gradient");
    return;
  }
  const auto launch = [&](auto narrow) {
    stripes::stripe_gradient<narrow.value>
        <<<blocks, stripes::threads, static_cast<std::size_t>(stripes::shared_bytes(g)), stream>>>(
            g, plan.part_depth, parts);
    SIAMESE_CHECK_LAUNCH("stripe_gradient");
  };
  switch (ceil_div(stripes::narrow(g), pack)) {
    case 1:
      return launch(std::integral_constant<int, 4>{});
    case 2:
      return launch(std::integral_constant<int, 8>{});
    case 3:
      return launch(std::integral_constant<int, 12>{});
    default:
      return launch(std::integral_constant<int, 16>{});
  }
}

}  // namespace siamese::cuda
