// The training step, rung 5: two kernels on warpgroups in bf16, float32 master weights. The
// composed steps of the rungs below move every layer's activations and gradients through memory,
// for the seed's network 9.1 KB a row; here 448 bytes a row leave the first kernel (dz_2, x) and
// come back in the second one, and but for parts of gradients nothing else does.
//   weight image    parameters in bf16, as the first kernel keeps them in shared memory
//   train_chain     forward, loss, dz_3 .. dz_1, gradients of the outer layers
//   train_middle    gradient of the middle layer
//   conclude_loss   the loss, the step count and Adam's scalars of the step
//   train_update    the blocks' gradients added up in a fixed order, and Adam
// Rung 4 is its twin, the same kernels with products by mma.sync: to tell what wgmma itself buys,
// and for devices of compute capability 9.0 or later without it (wgmma_twin.cuh).
//
// No atomics: equal inputs give equal bits.
//
// Pairs bring points of their own: an indexed pair's points are computed for each pair anew.

#include <algorithm>
#include <memory>

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/block_sum.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/part_sum.cuh"
#include "kernels/cuda/train_wgmma_kernels.h"
#include "kernels/cuda/variant_parts.h"
#include "kernels/cuda/weight_image.h"
#include "kernels/cuda/wgmma.cuh"
#include "kernels/cuda/wgmma_twin.cuh"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int update_threads = 256;
constexpr int update_slices = 4;
constexpr int update_width = update_threads / update_slices;  ///< parameters of a block

/// Parts of gradients of some parameters [count, stride].
struct GradientParts {
  const float* data;
  std::int64_t count;
  std::int64_t stride;
};

/// One block, for the loss is one sum.
__global__ void conclude_loss(const double* costs, std::int64_t count, double mean,
                              double* loss_value, std::int64_t* step, Adam adam,
                              AdamStep* scalars) {
  if (threadIdx.x == update_threads - 1) *scalars = adam_step_at(adam, ++*step);
  double sum = 0.0;
  for (std::int64_t i = threadIdx.x; i < count; i += update_threads) sum += costs[i];
  sum = block_sum<update_threads>(sum);
  if (threadIdx.x == 0) *loss_value = mean * sum;
}

/// A slice of the parts of a parameter is a thread's, so that few loads wait for one another, and
/// the first one adds up the slices. The middle layer's parameters lie between those of the outer
/// layers.
__global__ void train_update(const TrainStepArgs<float> args, std::int64_t count,
                             const AdamStep* scalars, GradientParts outer,
                             std::int64_t middle_begin, GradientParts middle) {
  __shared__ float sums[update_slices][update_width];
  const int column = static_cast<int>(threadIdx.x % update_width);
  const int slice = static_cast<int>(threadIdx.x / update_width);
  const std::int64_t i = std::int64_t{blockIdx.x} * update_width + column;
  const std::int64_t past_begin = i - middle_begin;
  const bool in_middle = past_begin >= 0 && past_begin < middle.stride;
  const GradientParts parts = in_middle ? middle : outer;
  const std::int64_t element = in_middle ? past_begin : past_begin < 0 ? i : i - middle.stride;
  if (i < count) {
    sums[slice][column] = part_sum(parts.data + element, slice, update_slices,
                                   static_cast<int>(parts.count), parts.stride);
  }
  __syncthreads();
  if (slice > 0 || i >= count) return;
  float gradient = 0.0F;
  for (const auto& of_slice : sums) gradient += of_slice[column];
  const AdamConstants<float> constants(args.adam, *scalars);
  constants.update(gradient, args.parameters[i], args.m[i], args.v[i]);
}

struct Plan {
  TrainPlan train;
  WeightImage weights;
  std::int64_t chain_blocks;
  std::int64_t middle_blocks;
  Buffer<unsigned char> image;
  Buffer<unsigned char> records;
  Buffer<float> outer;
  Buffer<float> middle;
  Buffer<double> costs;
  Buffer<AdamStep> scalars;

  explicit Plan(const TrainStepArgs<float>& args)
      : train(plan_train(args)),
        weights(weight_image(WeightImage::Form::blocks, train.layer, 3)),
        chain_blocks(
            std::min(ceil_div(train.stripes, chain_groups), device_limits().multiprocessors)),
        middle_blocks(std::min(
            train.stripes,
            std::max<std::int64_t>(device_limits().multiprocessors / train.middle_tiles, 1))),
        image(Device::cuda, train.image_bytes),
        records(Device::cuda, train.stripes * train.record_bytes()),
        outer(Device::cuda,
              chain_blocks * chain_groups * (train.parameters(0) + train.parameters(2))),
        middle(Device::cuda, middle_blocks * train.parameters(1)),
        costs(Device::cuda, chain_blocks),
        scalars(Device::cuda, 1) {}

  TrainStores stores() const {
    return {image.data(), records.data(), chain_blocks, outer.data(),
            costs.data(), middle_blocks,  middle.data()};
  }
};

template <class Multiplier>
void launch_step(const TrainStepArgs<float>& args, const Plan& plan, cudaStream_t stream) {
  if (plan.train.stripes > 0) {
    launch_weight_image(plan.weights, args.parameters, plan.image.data(), stream);
    launch_train_chain<Multiplier>(plan.train, args, plan.stores(), stream);
    launch_train_middle<Multiplier>(plan.train, plan.stores(), stream);
  }
  const double mean = args.pairs.count > 0 ? 1.0 / static_cast<double>(args.pairs.count) : 0.0;
  conclude_loss<<<1, update_threads, 0, stream>>>(plan.costs.data(), plan.chain_blocks, mean,
                                                  args.loss_value, args.step, args.adam,
                                                  plan.scalars.data());
  SIAMESE_CHECK_LAUNCH("conclude_loss");
  const std::int64_t count = args.network->parameter_count();
  const std::int64_t middle = plan.train.parameters(1);
  train_update<<<tile_blocks(ceil_div(count, update_width), "train_update"), update_threads, 0,
                 stream>>>(args, count, plan.scalars.data(),
                           {plan.outer.data(), plan.chain_blocks * chain_groups, count - middle},
                           plan.train.layer[1].parameters,
                           {plan.middle.data(), plan.middle_blocks, middle});
  SIAMESE_CHECK_LAUNCH("train_update");
}

template <class Multiplier>
Launch prepare(const TrainStepArgs<float>& args) {
  check_counts(args.pairs.form, args.points, args.pairs.count);
  const auto plan = std::make_shared<const Plan>(args);
  allow_train_chain<Multiplier>(plan->train);
  allow_train_middle<Multiplier>(plan->train);
  return traced(args, Multiplier::name, Precision::bf16, [args, plan](Stream stream) {
    launch_step<Multiplier>(args, *plan, cuda_stream(stream));
  });
}

template <class Multiplier>
Variant<TrainStepArgs<float>> variant(int rung, std::optional<std::string> (*why_unavailable)()) {
  return {.name = Multiplier::name,
          .device = Device::cuda,
          .precision = Precision::bf16,
          .rung = rung,
          .why_unsupported =
              [=](const TrainStepArgs<float>& args) {
                const auto reason = why_not_train(args);
                return reason ? reason : why_unavailable();
              },
          .prepare = prepare<Multiplier>};
}

const Register<TrainStepArgs<float>> wgmma(variant<Wgmma>(5, why_no_wgmma));
const Register<TrainStepArgs<float>> twin(variant<WgmmaTwin>(4, why_before_90));

}  // namespace
}  // namespace siamese::cuda
