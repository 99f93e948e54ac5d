// Forward, rung 5: all layers in one launch, in bf16 by the products of whole warpgroups. In the
// fused rung a warp reads all weights from shared memory for its 16 rows, and each of its products
// waits for operands to reach registers; here a warpgroup reads them once for 64 rows, straight
// into the tensor cores. X [n, d0] is read once, h_1 .. h_L are written once.
//
// Rung 4 is its twin, the same kernel with products by mma.sync: to tell what wgmma itself buys,
// and for devices of compute capability 9.0 or later without it (wgmma_twin.cuh).
//
// Weights and activations lie in shared memory in the blocks of warpgroup.cuh: for the seed's
// network 99,840 bytes of weights and 2 x 2 x 26,624 of activations.

#include "kernels/cuda/bulk_copy.cuh"
#include "kernels/cuda/weight_blocks.cuh"
#include "kernels/cuda/wgmma.cuh"
#include "kernels/cuda/wgmma_twin.cuh"

namespace siamese::cuda {
namespace {

/// A warpgroup takes 64 rows. It reads a layer's input from one buffer and writes its output to the
/// other; its warps meet between layers.
template <class Multiplier>
class GroupChain {
 public:
  static constexpr FusedForm form = fused_wgmma;

  static __device__ void load_image(const unsigned char* image, int bytes, unsigned char* shared) {
    bulk_copy_to_all(shared, image, bytes);
  }

  __device__ GroupChain(const FusedPlan& plan, unsigned char* shared)
      : shared_(shared),
        group_(warpgroup::group_of_thread()),
        first_row_(own_warp() % warpgroup::group_warps * 16) {
    auto* const buffers = reinterpret_cast<std::uint32_t*>(shared + plan.activations +
                                                           group_ * plan.activation_bytes);
    input_ = {buffers, warpgroup::rows};
    output_ = {buffers + plan.activation_bytes / 8, warpgroup::rows};
  }

  __device__ int unit() const { return group_; }
  __device__ int first_row() const { return first_row_; }

  __device__ void load(const float* x, std::int64_t points, const FusedLayer& layer,
                       std::int64_t row) {
    const fused::PaddedMatrix matrix(x, points, layer.inputs);
    const int lane = own_lane();
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
    Multiplier::meet(group_);
  }

  template <class Use>
  __device__ void multiply(const FusedLayer& layer, Use use) {
    warpgroup::multiply_all<Multiplier, true>(
        input_, fused::weight_blocks(layer, shared_), layer.depth / warpgroup::depth, layer.columns,
        [](int) { return float2{}; }, use);
  }

  __device__ void keep(int column, int i, std::uint32_t pair) {
    output_.own_pair(first_row_ + i * 8, column) = pair;
  }

  __device__ void turn(const FusedLayer&) {
    Multiplier::meet(group_);
    const warpgroup::Blocks kept = output_;
    output_ = input_;
    input_ = kept;
  }

 private:
  unsigned char* shared_;
  int group_;
  int first_row_;  // of the warp, among the warpgroup's
  warpgroup::Blocks input_;
  warpgroup::Blocks output_;
};

template <class Multiplier>
__global__ void __launch_bounds__(fused::threads, 1)
    forward_wgmma(const __grid_constant__ FusedPlan plan, std::int64_t points,
                  const float* __restrict__ x, const unsigned char* __restrict__ image,
                  float* __restrict__ hidden, float* __restrict__ embeddings) {
  if constexpr (Multiplier::available) {
    extern __shared__ __align__(128) unsigned char shared[];
    fused::forward<GroupChain<Multiplier>>(plan, points, x, image, hidden, embeddings, shared);
  } else {
    __trap();  // never launched: the variant refuses such devices
  }
}

template <class Multiplier>
Launch prepare(const PairForwardArgs<float>& args) {
  const FusedPlan plan = plan_fused(*args.network, fused_wgmma);
  const auto image = std::make_shared<const PlacedImage>(
      weight_image(WeightImage::Form::blocks, plan.layer, plan.layers));
  return traced(
      args, Multiplier::name, Precision::bf16,
      fused::prepare(args, fused_wgmma, image, plan, forward_wgmma<Multiplier>, "forward_wgmma"));
}

template <class Multiplier>
Variant<PairForwardArgs<float>> variant(int rung, std::optional<std::string> (*why_unavailable)()) {
  return {.name = Multiplier::name,
          .device = Device::cuda,
          .precision = Precision::bf16,
          .rung = rung,
          .why_unsupported =
              [=](const PairForwardArgs<float>& args) {
                const auto reason = why_not_fused(*args.network, fused_wgmma);
                return reason ? reason : why_unavailable();
              },
          .prepare = prepare<Multiplier>};
}

const Register<PairForwardArgs<float>> wgmma(variant<Wgmma>(5, why_no_wgmma));
const Register<PairForwardArgs<float>> twin(variant<WgmmaTwin>(4, why_before_90));

}  // namespace
}  // namespace siamese::cuda
