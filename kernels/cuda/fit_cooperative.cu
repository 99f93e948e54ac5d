// Fit, rung 2: a cooperative grid trains the network, all epochs in one launch, where rung 1 had
// one multiprocessor of the device work. The step is the same (fit_team.cuh), its tiles spread over
// all threads of the grid, and its 2 L + 3 barriers are the grid's: every device since compute
// capability 6.0 has them. Any network up to 16 layers is served. Of several trainings each has the
// whole grid in its turn.
//
// All arrays lie in a workspace in global memory, which is to say in L2; no shared memory is used.
// A barrier of the grid makes every block's writes visible to all, but it goes through L2 and costs
// about a microsecond, and after it everything is read from L2 anew, the weights too.

#include <algorithm>
#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/fit_team.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 64;  // few, so that a small product spreads over many multiprocessors

template <Distance distance, class T>
__global__ void __launch_bounds__(threads, 1)
    fit_cooperative(const __grid_constant__ FitArgs<T> args, const __grid_constant__ FitPlan plan,
                    std::byte* workspace) {
  TeamFit<distance, T, GridTeam>(GridTeam{}, args, plan, nullptr, workspace).run();
}

struct Plan {
  unsigned blocks;
  FitPlan fit;
  Buffer<std::byte> workspace;
};

/// A thread for each tile of the largest product, but no more than a block a multiprocessor: a
/// barrier waits for every block.
template <class T>
unsigned blocks_for(const FitArgs<T>& args) {
  constexpr int pack = pack_elements<T>;
  const std::int64_t row_tiles = ceil_div(fit_batches(args).most_rows, panel_row_tile);
  std::int64_t tiles = 1;
  for (const Layer& layer : args.training.network->layers()) {
    const std::int64_t across = std::max(row_tiles, ceil_div(layer.inputs + 1, pack));
    tiles = std::max(tiles, across * ceil_div(layer.outputs, pack));
  }
  return static_cast<unsigned>(std::min(ceil_div(tiles, threads), device_limits().multiprocessors));
}

template <class T>
std::shared_ptr<const Plan> plan_for(const FitArgs<T>& args) {
  const unsigned blocks = blocks_for(args);
  FitPlan fit;
  with_distance(args.training.loss.distance, [&](auto distance) {
    constexpr auto pair_bytes = static_cast<std::int64_t>(sizeof(BatchPair<distance.value, T>));
    fit = plan_fit(args, std::int64_t{blocks} * threads, pair_bytes, 0);
  });
  return std::make_shared<const Plan>(
      Plan{blocks, fit, Buffer<std::byte>(Device::cuda, fit.workspace_bytes)});
}

template <class T>
void launch_training(const FitArgs<T>& args, const Plan& plan, cudaStream_t stream) {
  SIAMESE_CHECK_CUDA(cudaMemsetAsync(plan.workspace.data(), 0,
                                     static_cast<std::size_t>(plan.workspace.size()), stream));
  const CooperativeLaunch cooperative(plan.blocks, threads, 0, stream);
  with_distance(args.training.loss.distance, [&](auto distance) {
    SIAMESE_CHECK_CUDA(cudaLaunchKernelEx(cooperative.config(), fit_cooperative<distance.value, T>,
                                          args, plan.fit, plan.workspace.data()));
  });
}

template <class T>
void launch_fit(const FitArgs<T>& args, const Plan& plan, cudaStream_t stream) {
  for (std::int64_t k = 0; k < args.trainings; ++k) {
    launch_training(training_at(args, k, plan.fit.parameters), plan, stream);
  }
}

template <class T>
Launch prepare(const FitArgs<T>& args) {
  check_counts(args.training.pairs.form, args.training.points, args.training.pairs.count);
  return traced(args, "cooperative", precision_of<T>, [args, plan = plan_for(args)](Stream stream) {
    launch_fit(args, *plan, cuda_stream(stream));
  });
}

template <class T>
Variant<FitArgs<T>> variant() {
  return {.name = "cooperative",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 2,
          .why_unsupported = why_no_fit<T>,
          .prepare = prepare<T>};
}

const Register<FitArgs<float>> float32(variant<float>());
const Register<FitArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
