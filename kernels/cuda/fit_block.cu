// Fit, rung 1: a block trains a network, all epochs in one launch, and nothing returns to the host
// in between. A barrier of a block costs tens of cycles where a launch costs thousands, and
// shared memory holds the weights: at the size of the original experiment (11 -> 200 -> 200 -> 10,
// 178 KB) all of them, with the batch and the small activations; what does not fit lies in a
// workspace in global memory, and so do Adam's moments. Any network up to 16 layers is served.
//
// Shared memory, as far as it goes, in this order (fit_plan.h): Adam's scalars, [W_l; b_l] of every
// layer, the pairs of a batch, x, then h_l and dz_l from the last layer to the first. The step and
// its 2 L + 3 barriers are in fit_team.cuh.
//
// A training has one of the device's multiprocessors, and the others are for other trainings: the
// rung for many at once, a block each with a workspace of its own, not for one that is to end soon.

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/fit_team.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

/// A distance's weights take registers that 512 threads have not, nor two blocks of 256.
template <Distance distance>
constexpr int threads = has_weights(distance) ? 256 : 512;

template <Distance distance, class T>
__global__ void __launch_bounds__(threads<distance>, has_weights(distance) ? 1 : 0)
    fit_block(const __grid_constant__ FitArgs<T> args, const __grid_constant__ FitPlan plan,
              std::byte* workspace) {
  extern __shared__ int4 shared[];
  for (int i = static_cast<int>(threadIdx.x); i < plan.shared_bytes / 16; i += threads<distance>) {
    shared[i] = {};
  }
  __syncthreads();
  const FitArgs<T> own = training_at(args, blockIdx.x, plan.parameters);
  TeamFit<distance, T, BlockTeam>(BlockTeam{}, own, plan, reinterpret_cast<std::byte*>(shared),
                                  workspace + blockIdx.x * plan.workspace_bytes)
      .run();
}

template <class T>
FitPlan plan_for(const FitArgs<T>& args) {
  FitPlan plan;
  with_distance(args.training.loss.distance, [&](auto distance) {
    constexpr auto pair_bytes = static_cast<std::int64_t>(sizeof(BatchPair<distance.value, T>));
    plan = plan_fit(args, threads<distance.value>, pair_bytes, device_limits().shared_bytes);
    allow_shared(fit_block<distance.value, T>, plan.shared_bytes, "fit/block");
  });
  return plan;
}

template <class T>
void launch_fit(const FitArgs<T>& args, const FitPlan& plan, const Buffer<std::byte>& workspace,
                cudaStream_t stream) {
  SIAMESE_CHECK_CUDA(
      cudaMemsetAsync(workspace.data(), 0, static_cast<std::size_t>(workspace.size()), stream));
  with_distance(args.training.loss.distance, [&](auto distance) {
    fit_block<distance.value, T>
        <<<tile_blocks(args.trainings, "fit/block"), threads<distance.value>,
           static_cast<std::size_t>(plan.shared_bytes), stream>>>(args, plan, workspace.data());
    SIAMESE_CHECK_LAUNCH("fit_block");
  });
}

template <class T>
Launch prepare(const FitArgs<T>& args) {
  check_counts(args.training.pairs.form, args.training.points, args.training.pairs.count);
  const FitPlan plan = plan_for(args);
  const auto workspace = std::make_shared<const Buffer<std::byte>>(
      Device::cuda, args.trainings * plan.workspace_bytes);
  return traced(args, "block", precision_of<T>, [args, plan, workspace](Stream stream) {
    launch_fit(args, plan, *workspace, cuda_stream(stream));
  });
}

template <class T>
Variant<FitArgs<T>> variant() {
  return {.name = "block",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 1,
          .why_unsupported = why_no_fit<T>,
          .prepare = prepare<T>};
}

const Register<FitArgs<float>> float32(variant<float>());
const Register<FitArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
