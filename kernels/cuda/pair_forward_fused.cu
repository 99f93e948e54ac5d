// Forward, rung 3: all layers in one launch, in bf16 on tensor cores. The layer-wise rungs write
// each layer's activations and read them back for the next: for the seed's network 1,640 bytes a
// point on top of what the op has to write. Here the parameters (bf16) stay in shared memory and
// the activations of 16 points in a warp's registers; X is read once, and h_1 .. h_L, which
// backward needs, are written once. Blocks stay and take 16-point stripes in turn.
//
// With 16 rows a warp each fragment of W serves one instruction of two, so shared memory bounds the
// products at about half of what mma.sync can do; the writing of h takes longer than that.

#include "kernels/cuda/fused_forward.cuh"
#include "kernels/cuda/fused_passes.h"

namespace siamese::cuda {
namespace {

/// A warp takes 16 rows. A layer's input is in its registers as the fragments of A (mma.cuh); its
/// output goes to the warp's own lines of shared memory, from where the next layer reads it as
/// fragments. No warp waits for another. `steps`: of 16 inputs, the most that a layer has.
template <int steps>
class WarpChain {
 public:
  static constexpr FusedForm form = fused_mma;

  static __device__ void load_image(const unsigned char* image, int bytes, unsigned char* shared) {
    fused::copy_image(image, bytes, shared);
  }

  __device__ WarpChain(const FusedPlan& plan, unsigned char* shared)
      : shared_(shared),
        lines_(reinterpret_cast<__nv_bfloat16*>(shared + plan.activations +
                                                unit() * plan.activation_bytes)),
        pitch_(plan.pitch) {}

  __device__ int unit() const { return own_warp(); }
  __device__ int first_row() const { return 0; }

  __device__ void load(const float* x, std::int64_t points, const FusedLayer& layer,
                       std::int64_t row) {
    const fused::PaddedMatrix matrix(x, points, layer.inputs);
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if (s * product_depth >= layer.depth) break;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float2 pair = matrix.pair(row + own_lane() / 4 + i % 2 * 8,
                                        s * product_depth + i / 2 * 8 + own_lane() % 4 * 2);
        step_[s][i] = mma::bf16_pair(pair.x, pair.y);
      }
    }
  }

  /// 16 columns at a time. Steps go to two sets of sums in turn, so that four chains of
  /// multiply-adds are under way.
  template <class Use>
  __device__ void multiply(const FusedLayer& layer, Use use) {
    const auto* const weights = reinterpret_cast<const __nv_bfloat16*>(shared_ + layer.weights);
    for (int column = 0; column < layer.columns; column += product_depth) {
      const __nv_bfloat16* const at =
          weights + own_lane() % 16 * layer.pitch + column + own_lane() / 16 * 8;
      float partial[2][2][4] = {};
#pragma unroll
      for (int s = 0; s < steps; ++s) {
        if (s * product_depth >= layer.depth) break;
        std::uint32_t b[4];
        mma::load_matrices<true>(at + s * product_depth * layer.pitch, b);
        mma::multiply_add_bf16(step_[s], {b[0], b[1]}, partial[s % 2][0]);
        mma::multiply_add_bf16(step_[s], {b[2], b[3]}, partial[s % 2][1]);
      }
      float sums[2][4];
#pragma unroll
      for (int t = 0; t < 2; ++t) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[t][i] = partial[0][t][i] + partial[1][t][i];
      }
      use(column, sums);
    }
  }

  __device__ void keep(int column, int i, std::uint32_t pair) {
    const int line = own_lane() / 4 + i * 8;
    *reinterpret_cast<std::uint32_t*>(lines_ + line * pitch_ + column + own_lane() % 4 * 2) = pair;
  }

  __device__ void turn(const FusedLayer& layer) {
    __syncwarp();
    const __nv_bfloat16* const at = lines_ + own_lane() % 16 * pitch_ + own_lane() / 16 * 8;
#pragma unroll
    for (int s = 0; s < steps; ++s) {
      if (s * product_depth >= layer.columns) break;
      mma::load_matrices<false>(at + s * product_depth, step_[s]);
    }
    __syncwarp();  // the next layer writes there
  }

 private:
  unsigned char* shared_;
  __nv_bfloat16* lines_;  // [16, pitch]
  int pitch_;
  std::uint32_t step_[steps][4];
};

template <int steps>
__global__ void __launch_bounds__(fused::threads, 1)
    forward_fused(const __grid_constant__ FusedPlan plan, std::int64_t points,
                  const float* __restrict__ x, const unsigned char* __restrict__ image,
                  float* __restrict__ hidden, float* __restrict__ embeddings) {
  extern __shared__ __align__(16) unsigned char shared[];
  fused::forward<WarpChain<steps>>(plan, points, x, image, hidden, embeddings, shared);
}

std::optional<std::string> why_unsupported(const PairForwardArgs<float>& args) {
  return why_not_fused(*args.network, fused_mma);
}

Launch prepare(const PairForwardArgs<float>& args) {
  return prepare_forward_fused(args, image_of_forward(*args.network));
}

const Register<PairForwardArgs<float>> bf16({.name = "fused",
                                             .device = Device::cuda,
                                             .precision = Precision::bf16,
                                             .rung = 3,
                                             .why_unsupported = why_unsupported,
                                             .prepare = prepare});

}  // namespace

std::shared_ptr<const PlacedImage> image_of_forward(const Network& network) {
  const FusedPlan plan = plan_fused(network, fused_mma);
  return std::make_shared<const PlacedImage>(
      weight_image(WeightImage::Form::lines, plan.layer, plan.layers));
}

Launch prepare_forward_fused(const PairForwardArgs<float>& args,
                             const std::shared_ptr<const PlacedImage>& image) {
  const FusedPlan plan = plan_fused(*args.network, fused_mma);
  const auto kernel = plan.widest <= 64 ? forward_fused<4> : forward_fused<16>;
  return traced(args, "fused", Precision::bf16,
                fused::prepare(args, fused_mma, image, plan, kernel, "forward_fused"));
}

}  // namespace siamese::cuda
