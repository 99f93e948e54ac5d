// Fit, rung 3: a cluster of 8 blocks trains the network, all epochs in one launch. A block alone
// (rung 1) has an eighth of the arithmetic and moves Adam's moments through L2 in every step; a
// whole grid (rung 2) keeps all in L2 and pays for a barrier of the device. Here each block owns an
// eighth of every hidden layer's units with their weights and both moments, all in shared memory,
// and hands on activations and gradients by writing into its neighbours' (distributed shared
// memory); the barriers are the cluster's. The step is in fit_cluster.cuh.
//
// Shared memory of a block (fit_cluster_plan.h): Adam's scalars, the pairs of a batch, x, all
// blocks' shares of z_L (twice), E; then per layer the weights, m, v and dz of the own units, and
// h_l of all units (twice) with the shares of dh_l, or of the own units. At the size of the
// original experiment about 200 KB. Networks whose slices and batch take more than a block has are
// refused, and so are those without a hidden layer, and devices without clusters (before compute
// capability 9.0). Several trainings have a cluster each.

#include <memory>

#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.h"
#include "kernels/cuda/fit_cluster.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

/// As many as a tile of 128 registers leaves room for: with half of them a scheduler has two warps,
/// which cannot hide each other's waiting.
constexpr int threads = 512;

template <Distance distance, class T>
__global__ void __launch_bounds__(threads, 1)
    fit_cluster(const __grid_constant__ FitArgs<T> args, const __grid_constant__ ClusterPlan plan) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ int4 shared[];
  for (int i = static_cast<int>(threadIdx.x); i < plan.shared_bytes / 16; i += threads) {
    shared[i] = {};
  }
  __syncthreads();
  const FitArgs<T> own = training_at(args, blockIdx.x / cluster_blocks, plan.parameters);
  ClusterFit<distance, T>(own, plan, reinterpret_cast<std::byte*>(shared)).run();
#else
  __trap();  // never launched: the variant refuses devices without clusters
#endif
}

template <Distance distance, class T>
constexpr auto pair_bytes = static_cast<std::int64_t>(sizeof(BatchPair<distance, T>));

template <class T>
std::optional<std::string> why_unsupported(const FitArgs<T>& args) {
  std::optional<std::string> reason;
  with_distance(args.training.loss.distance, [&](auto distance) {
    reason = why_no_cluster(args, threads, pair_bytes<distance.value, T>);
  });
  return reason ? reason : why_before_90();
}

template <class T>
ClusterPlan plan_for(const FitArgs<T>& args) {
  ClusterPlan plan;
  with_distance(args.training.loss.distance, [&](auto distance) {
    plan = plan_cluster(args, threads, pair_bytes<distance.value, T>);
    allow_shared(fit_cluster<distance.value, T>, plan.shared_bytes, "fit/cluster");
  });
  return plan;
}

template <class T>
void launch_fit(const FitArgs<T>& args, const ClusterPlan& plan, cudaStream_t stream) {
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {cluster_blocks, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(tile_blocks(args.trainings * cluster_blocks, "fit/cluster"));
  config.blockDim = dim3(threads);
  config.dynamicSmemBytes = static_cast<std::size_t>(plan.shared_bytes);
  config.stream = stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  with_distance(args.training.loss.distance, [&](auto distance) {
    SIAMESE_CHECK_CUDA(cudaLaunchKernelEx(&config, fit_cluster<distance.value, T>, args, plan));
  });
}

template <class T>
Launch prepare(const FitArgs<T>& args) {
  check_counts(args.training.pairs.form, args.training.points, args.training.pairs.count);
  return traced(args, "cluster", precision_of<T>, [args, plan = plan_for(args)](Stream stream) {
    launch_fit(args, plan, cuda_stream(stream));
  });
}

template <class T>
Variant<FitArgs<T>> variant() {
  return {.name = "cluster",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 3,
          .why_unsupported = why_unsupported<T>,
          .prepare = prepare<T>};
}

const Register<FitArgs<float>> float32(variant<float>());
const Register<FitArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
