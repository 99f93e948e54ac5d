// A training step, rung 5: one launch in bf16 on tensor cores. The composed steps below are a dozen
// launches that hand activations and gradients to each other through memory: for the seed's
// network 9.1 KB a point, which binds them five times over once the products are on tensor cores.
// Here all blocks first make an image of the parameters in bf16 (weight_image.h; the float32 ones
// stay in global memory for Adam), of which each keeps a copy in shared memory, and takes tiles of
// 32 pairs through forward, loss and backward; X is read, and nothing of a point is written.
// Gradients stay on chip over all of the block's tiles: the middle layer's in 156 registers a
// thread, the outer layers' in shared memory (fused_step.cuh).
//
// At the end each block writes its gradients to a part of its own, and after a barrier of the grid
// (hence a cooperative launch) all threads add up the parts in order and take Adam's step: the same
// bits each time. The parts are 178 KB a block for the seed's network. Blocks without a tile leave
// none, but take part in making the image and in Adam's step.
//
// Indexed pairs bring two rows of their own too, so a point is computed once for each of its pairs.
// The seed's network takes 223,680 bytes of shared memory, which a block has on sm_90, not on
// sm_80.

#include <algorithm>
#include <memory>

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/fused_step.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pair_loss.cuh"
#include "kernels/cuda/part_sum.cuh"
#include "kernels/cuda/team.cuh"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

using Args = TrainStepArgs<float>;

/// What the blocks with tiles leave for the end of the step.
struct Parts {
  unsigned count;
  float* gradients;  // [count, parameters]
  double* costs;     // [count]
};

/// X of the tile that begins with `first_pair`.
__device__ void load_points(const Args& args, std::int64_t first_pair, const fused::Step& step) {
  step.load_rows<2>(0, [&](int row) -> const float* {
    const std::int64_t p = first_pair + row % step_pairs;
    if (p >= args.pairs.count) return nullptr;
    const PointPair points = points_of(args.pairs, p);
    return args.x + (row < step_pairs ? points.first : points.second) * step.layer(0).inputs;
  });
}

/// dz_3 from E of a tile's pairs, 8 lanes a pair; returns what this thread's pair costs, in one of
/// its lanes. Pairs that do not exist have no cost and no gradient.
template <Distance distance>
__device__ double pair_gradients_by(const Args& args, std::int64_t first_pair,
                                    const fused::Step& step) {
  constexpr int lanes = fused::threads / step_pairs;
  const FusedLayer& layer = step.layer(step_layers - 1);
  const fused::Matrix<float> e = step.embeddings();
  const fused::Operand16 dz = step.rows(step_layers);
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int row = static_cast<int>(threadIdx.x) / lanes;
  PairDistance<distance, float> d;
  for (int k = lane; k < layer.outputs; k += lanes) {
    d.add(*e.at(row, k), *e.at(row + step_pairs, k));
  }
  d.group_sum(lanes);

  const std::int64_t p = first_pair + row;
  Cost<float> c{};
  bool moves = false;
  if (p < args.pairs.count) {
    c = cost(args.loss, d.finish(), args.pairs.targets[p]);
    const PointPair points = points_of(args.pairs, p);
    moves = points.first != points.second;  // else both halves of its gradient cancel
  }
  const float factor =
      static_cast<float>(1.0 / static_cast<double>(args.pairs.count)) * c.derivative;
  for (int k = lane; k < layer.columns; k += lanes) {
    float by_a = 0.0F;
    float by_b = 0.0F;
    if (moves && k < layer.outputs) {
      const float a = *e.at(row, k);
      const float b = *e.at(row + step_pairs, k);
      by_a = factor * d.by_a(a, b) * activation_derivative(layer.activation, a);
      by_b = factor * d.by_b(a, b) * activation_derivative(layer.activation, b);
    }
    *dz.at(row, k) = __float2bfloat16(by_a);
    *dz.at(row + step_pairs, k) = __float2bfloat16(by_b);
  }
  return lane == 0 ? static_cast<double>(c.value) : 0.0;
}

__device__ double pair_gradients(const Args& args, std::int64_t first_pair,
                                 const fused::Step& step) {
  return by_unweighted_distance(args.loss.distance, [&](auto distance) {
    return pair_gradients_by<distance.value>(args, first_pair, step);
  });
}

/// Adds up the parts in order, and takes Adam's step with the sum.
__device__ void update_parameters(const Args& args, const Parts& parts, std::int64_t count,
                                  const AdamConstants<float>& adam) {
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    const float gradient =
        part_sum(parts.gradients + i, 0, 1, static_cast<int>(parts.count), count);
    adam.update(gradient, args.parameters[i], args.m[i], args.v[i]);
  }
}

__global__ void __launch_bounds__(fused::threads, 1)
    train_step_fused(const __grid_constant__ Args args, const __grid_constant__ FusedStepPlan plan,
                     const __grid_constant__ WeightImage weights, unsigned char* image,
                     const Parts parts) {
  extern __shared__ __align__(16) unsigned char shared[];
  __shared__ AdamStep scalars;
  const fused::Step step(plan, shared);
  fused::make_image(weights, args.parameters, image);
  step.clear();
  if (threadIdx.x == 0) scalars = adam_step_at(args.adam, *args.step + 1);
  GridTeam{}.sync();  // the image is whole
  step.load_weights(image);

  fused::MiddleGradient middle;
  double cost = 0.0;
  for (std::int64_t pair = std::int64_t{blockIdx.x} * step_pairs; pair < args.pairs.count;
       pair += std::int64_t{gridDim.x} * step_pairs) {
    load_points(args, pair, step);
    __syncthreads();
    step.forward_hidden(1);
    __syncthreads();
    step.forward_hidden(2);
    __syncthreads();
    step.forward_embeddings();
    __syncthreads();
    cost += pair_gradients(args, pair, step);
    __syncthreads();
    step.backward(middle);
    __syncthreads();
  }

  if (blockIdx.x < parts.count) {
    step.store_gradients(middle, parts.gradients + blockIdx.x * plan.parameters);
    cost = block_sum<fused::threads>(cost);
    if (threadIdx.x == 0) parts.costs[blockIdx.x] = cost;
  }
  GridTeam{}.sync();
  update_parameters(args, parts, plan.parameters, {args.adam, scalars});
  if (blockIdx.x > 0) return;
  double sum = 0.0;
  for (unsigned part = threadIdx.x; part < parts.count; part += fused::threads) {
    sum += parts.costs[part];
  }
  sum = block_sum<fused::threads>(sum);
  if (threadIdx.x == 0) {
    *args.loss_value = args.pairs.count > 0 ? sum / static_cast<double>(args.pairs.count) : 0.0;
    ++*args.step;
  }
}

/// Blocks that take part in making the image and in Adam's step, where there are fewer tiles.
constexpr std::int64_t least_blocks = 16;

struct Plan {
  unsigned blocks;
  unsigned parts;
  FusedStepPlan step;
  WeightImage weights;
  Buffer<unsigned char> image;
  Buffer<float> gradients;
  Buffer<double> costs;
};

std::shared_ptr<const Plan> plan_for(const Args& args) {
  const std::int64_t parts = fused_step_blocks(2 * args.pairs.count);
  const std::int64_t blocks =
      std::max(parts, std::min(least_blocks, device_limits().multiprocessors));
  const FusedStepPlan step = plan_fused_step(*args.network);
  const WeightImage weights = weight_image(WeightImage::Form::lines, step.layer, step_layers);
  return std::make_shared<const Plan>(Plan{
      static_cast<unsigned>(blocks), static_cast<unsigned>(parts), step, weights,
      Buffer<unsigned char>(Device::cuda, weights.bytes),
      Buffer<float>(Device::cuda, parts * step.parameters), Buffer<double>(Device::cuda, parts)});
}

void launch_step(const Args& args, const Plan& plan, cudaStream_t stream) {
  const CooperativeLaunch cooperative(plan.blocks, fused::threads, plan.step.shared_bytes, stream);
  SIAMESE_CHECK_CUDA(cudaLaunchKernelEx(
      cooperative.config(), train_step_fused, args, plan.step, plan.weights, plan.image.data(),
      Parts{plan.parts, plan.gradients.data(), plan.costs.data()}));
}

std::optional<std::string> why_unsupported(const Args& args) {
  if (auto reason = why_not_pair_by_pair(args)) return reason;
  return why_no_fused_step(*args.network);
}

Launch prepare(const Args& args) {
  check_counts(args.pairs.form, args.points, args.pairs.count);
  const std::shared_ptr<const Plan> plan = plan_for(args);
  allow_shared(train_step_fused, plan->step.shared_bytes, "train_step/fused");
  return traced(args, "fused", Precision::bf16,
                [args, plan](Stream stream) { launch_step(args, *plan, cuda_stream(stream)); });
}

const Register<Args> bf16({.name = "fused",
                           .device = Device::cuda,
                           .precision = Precision::bf16,
                           .rung = 5,
                           .why_unsupported = why_unsupported,
                           .prepare = prepare});

}  // namespace
}  // namespace siamese::cuda
