#include "kernels/cuda/train_wgmma_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/shared_memory.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr std::int64_t narrowest_columns = 64;  // a tile of a gradient

int padded(std::int64_t width, std::int64_t step) {
  return static_cast<int>(round_up(width, step));
}

// One column more than there are units, that of ones, in what the second kernel is compiled for.
int middle_columns(std::int64_t units) {
  constexpr int compiled[] = {64, 128, 208, most_middle_columns};
  for (const int columns : compiled) {
    if (units < columns) return columns;
  }
  return padded(units + 1, product_depth);  // too many
}

constexpr std::int64_t alignment = 128;  // of everything in shared memory

FusedLayer sized(const Layer& layer, int depth, int columns, SharedLayout& layout) {
  FusedLayer result{};
  result.inputs = static_cast<int>(layer.inputs);
  result.outputs = static_cast<int>(layer.outputs);
  result.depth = depth;
  result.columns = columns;
  result.pitch = columns;
  result.activation = layer.activation;
  result.weights = static_cast<int>(layout.take(std::int64_t{depth} * columns * 2));
  result.bias = static_cast<int>(layout.take(std::int64_t{columns} * 4));
  result.parameters = layer.weights_offset;
  return result;
}

}  // namespace

TrainPlan plan_train(const TrainStepArgs<float>& args) {
  const std::vector<Layer>& layers = args.network->layers();
  TrainPlan plan{};
  plan.pairs = args.pairs.count;
  plan.stripes = ceil_div(plan.pairs, stripe_pairs);

  const int first = std::max(padded(layers[0].outputs, product_depth), int{narrowest_columns});
  const int second = middle_columns(layers[1].outputs);
  SharedLayout chain(alignment);
  plan.layer[0] = sized(layers[0], outer_columns, first, chain);
  plan.layer[1] = sized(layers[1], first, second, chain);
  plan.layer[2] = sized(layers[2], second, outer_columns, chain);
  plan.image_bytes = static_cast<int>(chain.bytes());
  plan.chain_group = plan.image_bytes;
  plan.chain_group_bytes = stripe_rows * (first + second + 2 * outer_columns) * 2;
  plan.chain_shared_bytes = plan.image_bytes + chain_groups * plan.chain_group_bytes;

  plan.middle_tiles = static_cast<int>(ceil_div(layers[0].outputs + 1, middle_units));
  plan.middle_shared_bytes = middle_stages + middle_ring * plan.record_bytes();
  return plan;
}

std::optional<std::string> why_not_train(const TrainStepArgs<float>& args) {
  const Network& network = *args.network;
  const std::vector<Layer>& layers = network.layers();
  if (layers.size() != 3) return fmt::format("{} layers; expected 3", layers.size());
  if (network.input_width() >= outer_columns || network.embedding_width() > outer_columns) {
    return fmt::format("{} inputs, {} outputs; expected at most {} and {}", network.input_width(),
                       network.embedding_width(), outer_columns - 1, outer_columns);
  }
  constexpr std::int64_t widest = most_middle_columns - 1;
  if (const std::int64_t w = std::max(layers[0].outputs, layers[1].outputs); w > widest) {
    return fmt::format("a hidden layer of {}; expected at most {}", w, widest);
  }
  const TrainPlan plan = plan_train(args);
  const std::int64_t most_bytes = shared_limit(fused_wgmma.most_shared_bytes);
  if (const int bytes = std::max(plan.chain_shared_bytes, plan.middle_shared_bytes);
      bytes > most_bytes) {
    return fmt::format("{} bytes of shared memory a block; expected at most {}", bytes, most_bytes);
  }
  return why_not_pair_by_pair(args);
}

}  // namespace siamese::cuda
