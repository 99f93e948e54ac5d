#include "kernels/cuda/stripe_gradient.h"

#include <cuda_pipeline_primitives.h>

#include <type_traits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/shared_memory.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int pack = Pack<float>::size;

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
  return round_up(narrow(g), pack) * (packs(g) * pack + 2 * slab_points(g)) * 4;
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

}  // namespace

bool stripes_serve(const TallGradient& g) {
  return narrow(g) <= most_narrow && wide_columns(g) % pack == 0 &&
         holds_packs(h_is_narrow(g) ? g.dz : g.h) && packs(g) >= least_packs &&
         packs(g) <= threads && shared_bytes(g) <= most_shared_bytes;
}

void launch_stripes(const TallGradient& g, const TallPlan& plan, float* parts,
                    cudaStream_t stream) {
  const auto launch = [&](auto columns) {
    stripe_gradient<columns.value>
        <<<static_cast<unsigned>(plan.parts), threads, static_cast<std::size_t>(shared_bytes(g)),
           stream>>>(g, plan.part_depth, parts);
    SIAMESE_CHECK_LAUNCH("stripe_gradient");
  };
  switch (ceil_div(narrow(g), pack)) {
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
