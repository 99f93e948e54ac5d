// Forward, rung 5: all layers in one launch, in bf16 by the products of whole warpgroups. In the
// fused rung a warp reads all weights from shared memory for its 16 rows, and each of its products
// waits for operands to reach registers; here a warpgroup reads them once for 64 rows, straight
// into the tensor cores. X [n, d0] is read once, h_1 .. h_L are written once.
//
// Weights and activations lie in shared memory in the blocks of wgmma.cuh: for the seed's network
// 99,840 bytes of weights and 2 x 2 x 26,624 of activations.

#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/weight_blocks.cuh"

namespace siamese::cuda {
namespace {

#ifdef __CUDA_ARCH_FEAT_SM90_ALL

/// A warpgroup takes 64 rows. It reads a layer's input from one buffer and writes its output to the
/// other; its warps meet between layers.
class GroupChain {
 public:
  static constexpr FusedForm form = fused_wgmma;

  static __device__ void load_image(const unsigned char* image, int bytes, unsigned char* shared) {
    bulk_copy_to_all(shared, image, bytes);
  }

  __device__ GroupChain(const FusedPlan& plan, unsigned char* shared)
      : shared_(shared),
        group_(wgmma::group_of_thread()),
        first_row_(static_cast<int>(threadIdx.x) / warp_size % wgmma::group_warps * 16) {
    auto* const buffers = reinterpret_cast<std::uint32_t*>(shared + plan.activations +
                                                           group_ * plan.activation_bytes);
    input_ = {buffers, wgmma::rows};
    output_ = {buffers + plan.activation_bytes / 8, wgmma::rows};
  }

  __device__ int unit() const { return group_; }
  __device__ int first_row() const { return first_row_; }

  __device__ void load(const float* x, std::int64_t points, const FusedLayer& layer,
                       std::int64_t row) {
    const fused::PaddedMatrix matrix(x, points, layer.inputs);
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    in_batches<fused::load_batch>(
        0, 1, layer.depth / 8 * 2,
        [&](int block) {
          return matrix.pair(row + first_row_ + block % 2 * 8 + lane / 4,
                             block / 2 * 8 + lane % 4 * 2);
        },
        [&](int block, float2 pair) {
          input_.own_pair(first_row_ + block % 2 * 8, block / 2 * 8) =
              mma::bf16_pair(pair.x, pair.y);
        });
    wgmma::meet(group_);
  }

  template <class Use>
  __device__ void multiply(const FusedLayer& layer, Use use) {
    wgmma::multiply_all<true>(wgmma::Operand<false>(input_, 0, 0),
                              fused::weight_blocks(layer, shared_), layer.depth / wgmma::depth,
                              layer.columns, use);
  }

  __device__ void keep(int column, int i, std::uint32_t pair) {
    output_.own_pair(first_row_ + i * 8, column) = pair;
  }

  __device__ void turn(const FusedLayer&) {
    wgmma::meet(group_);
    const wgmma::Blocks kept = output_;
    output_ = input_;
    input_ = kept;
  }

 private:
  unsigned char* shared_;
  int group_;
  int first_row_;  // of the warp, among the warpgroup's
  wgmma::Blocks input_;
  wgmma::Blocks output_;
};

#endif

__global__ void __launch_bounds__(fused::threads, 1)
    forward_wgmma(const __grid_constant__ FusedPlan plan, std::int64_t points,
                  const float* __restrict__ x, const unsigned char* __restrict__ image,
                  float* __restrict__ hidden, float* __restrict__ embeddings) {
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
  extern __shared__ __align__(128) unsigned char shared[];
  fused::forward<GroupChain>(plan, points, x, image, hidden, embeddings, shared);
#else
  __trap();  // never launched: the variant refuses other devices
#endif
}

std::optional<std::string> why_unsupported(const PairForwardArgs<float>& args) {
  if (auto reason = why_not_fused(*args.network, fused_wgmma)) return reason;
  return why_no_wgmma();
}

Launch prepare(const PairForwardArgs<float>& args) {
  const FusedPlan plan = plan_fused(*args.network, fused_wgmma);
  return traced(args, "wgmma", Precision::bf16,
                fused::prepare(args, fused_wgmma, WeightImage::Form::blocks, plan, forward_wgmma,
                               "forward_wgmma"));
}

const Register<PairForwardArgs<float>> bf16({.name = "wgmma",
                                             .device = Device::cuda,
                                             .precision = Precision::bf16,
                                             .rung = 5,
                                             .why_unsupported = why_unsupported,
                                             .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
