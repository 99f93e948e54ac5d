#include "kernels/cuda/patch_gradient.h"

#include <cuda_pipeline_primitives.h>

#include "kernels/cuda/check.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/shared_memory.h"

namespace siamese::cuda {
namespace {

constexpr int pack = Pack<float>::size;

constexpr int threads = 512;
constexpr int least_groups = threads * 3 / 4;  // with fewer, smaller tiles do as well
constexpr int rows = 8;                        // of a thread's patch of dW, two packs
constexpr int columns = 10;                    // two packs and a pair
constexpr int slice_depth = 16;                // points in shared memory at a time
constexpr int stages = 4;                      // slices that are at work or on their way

/// Patches down and across dW. A patch's packs lie apart by as many packs as these are.
__host__ __device__ int row_groups(const TallGradient& g) { return g.inputs / rows; }
__host__ __device__ int column_groups(const TallGradient& g) { return g.outputs / columns; }

__host__ __device__ int slice_elements(const TallGradient& g) {
  return slice_depth * (g.inputs + g.outputs);
}
std::int64_t shared_bytes(const TallGradient& g) {
  return std::int64_t{stages} * slice_elements(g) * 4;
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

}  // namespace

bool patches_serve(const TallGradient& g) {
  const std::int64_t groups = std::int64_t{row_groups(g)} * column_groups(g);
  return g.inputs % rows == 0 && g.outputs % columns == 0 && g.outputs % pack == 0 &&
         holds_packs(g.h) && holds_packs(g.dz) && groups >= least_groups && groups <= threads &&
         g.outputs <= threads && shared_bytes(g) <= shared_limit(shared_bytes_80);
}

void allow_patches(const TallGradient& g) {
  allow_shared(patch_gradient, shared_bytes(g), "patch_gradient");
}

void launch_patches(const TallGradient& g, const TallPlan& plan, float* parts,
                    cudaStream_t stream) {
  patch_gradient<<<static_cast<unsigned>(plan.parts), threads,
                   static_cast<std::size_t>(shared_bytes(g)), stream>>>(g, plan.part_depth, parts);
  SIAMESE_CHECK_LAUNCH("patch_gradient");
}

}  // namespace siamese::cuda
