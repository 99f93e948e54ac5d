// Forward, rung 3: all layers in one launch, in bf16 on tensor cores. The layer-wise rungs write
// each layer's activations and read them back for the next: for the seed's network 1,640 bytes a
// point on top of what the op has to write. Here the parameters (bf16) stay in shared memory and
// the activations of 16 points in a warp's registers; X is read once, and h_1 .. h_L, which
// backward needs, are written once. Blocks stay and take 16-point stripes in turn.
//
// With 16 rows a warp each fragment of W serves one instruction of two, so shared memory bounds the
// products at about half of what mma.sync can do; the writing of h takes longer than that.

#include <algorithm>
#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/fused.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

using Args = PairForwardArgs<float>;

/// Two neighbours of a row, of which those before `columns` exist.
__device__ void store_pair(float* row, int column, int columns, bool aligned, const float (&h)[2]) {
  if (aligned && column < columns) {
    // As an intrinsic, for the compiler takes some of these stores apart.
    __stwb(reinterpret_cast<float2*>(row + column), {h[0], h[1]});
    return;
  }
#pragma unroll
  for (int e = 0; e < 2; ++e) {
    if (column + e < columns) row[column + e] = h[e];
  }
}

/// Bias and activation of 16 x 16 sums: to global memory as they are, to the warp's lines in bf16.
__device__ void finish(const FusedLayer& layer, const float* bias, std::int64_t points,
                       std::int64_t first_row, int first_column, const fused::Sums& sums,
                       float* output, __nv_bfloat16* lines, int pitch) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const bool aligned =
      layer.outputs % 2 == 0 && reinterpret_cast<std::uintptr_t>(output) % sizeof(float2) == 0;
#pragma unroll
  for (int t = 0; t < 2; ++t) {
    const int column = first_column + t * 8 + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const int line = lane / 4 + i * 8;
      float h[2];
#pragma unroll
      for (int e = 0; e < 2; ++e) {
        h[e] = activate(layer.activation, sums[t][i * 2 + e] + bias[column + e]);
      }
      if (first_row + line < points) {
        store_pair(output + (first_row + line) * layer.outputs, column, layer.outputs, aligned, h);
      }
      *reinterpret_cast<std::uint32_t*>(lines + line * pitch + column) = mma::bf16_pair(h[0], h[1]);
    }
  }
}

template <int steps>
__global__ void __launch_bounds__(fused::threads, 1)
    forward_fused(const __grid_constant__ FusedPlan plan, std::int64_t points,
                  const float* __restrict__ x, const float* __restrict__ parameters,
                  float* __restrict__ hidden, float* __restrict__ embeddings) {
  extern __shared__ __align__(16) unsigned char shared[];
  fused::load_parameters(plan, parameters, shared);
  __syncthreads();

  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  auto* const lines =
      reinterpret_cast<__nv_bfloat16*>(shared + plan.activations + warp * plan.activation_bytes());
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * fused_warps * fused_rows;
  std::int64_t row = (static_cast<std::int64_t>(blockIdx.x) * fused_warps + warp) * fused_rows;
  for (; row < points; row += step) {
    fused::Rows<steps> input;
    input.load(x, points, plan.layer[0].inputs, row);
    float* output = hidden;
    for (int l = 0; l < plan.layers; ++l) {
      const FusedLayer& layer = plan.layer[l];
      if (l == plan.layers - 1) output = embeddings;
      const auto* const weights = reinterpret_cast<const __nv_bfloat16*>(shared + layer.weights);
      const auto* const bias = reinterpret_cast<const float*>(shared + layer.bias);
      for (int column = 0; column < layer.columns; column += fused_step) {
        fused::Sums sums;
        fused::multiply(input, weights, layer.pitch, layer.depth, column, sums);
        finish(layer, bias, points, row, column, sums, output, lines, plan.pitch);
      }
      __syncwarp();
      input.read(lines, plan.pitch, layer.columns);
      __syncwarp();  // the next layer writes there
      output += points * layer.outputs;
    }
  }
}

template <int steps>
void launch(const Args& args, const FusedPlan& plan, Stream stream) {
  const std::int64_t tiles = ceil_div(args.points, fused_warps * fused_rows);
  if (tiles == 0) return;
  const auto blocks = static_cast<unsigned>(std::min(tiles, device_limits().multiprocessors));
  forward_fused<steps><<<blocks, fused::threads, static_cast<std::size_t>(plan.shared_bytes),
                         cuda_stream(stream)>>>(plan, args.points, args.x, args.parameters,
                                                args.hidden, args.embeddings);
  SIAMESE_CHECK_LAUNCH("forward_fused");
}

std::optional<std::string> why_unsupported(const Args& args) {
  return why_not_fused(*args.network);
}

template <int steps>
Launch prepare_steps(const Args& args, const FusedPlan& plan) {
  allow_shared(forward_fused<steps>, plan.shared_bytes, "forward_fused");
  return [args, plan](Stream stream) { launch<steps>(args, plan, stream); };
}

Launch prepare(const Args& args) {
  const FusedPlan plan = plan_fused(*args.network);
  const Launch launch =
      plan.widest <= 64 ? prepare_steps<4>(args, plan) : prepare_steps<16>(args, plan);
  return traced(args, "fused", Precision::bf16, launch);
}

const Register<Args> bf16({.name = "fused",
                           .device = Device::cuda,
                           .precision = Precision::bf16,
                           .rung = 3,
                           .why_unsupported = why_unsupported,
                           .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
