#include "kernels/cuda/chain_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/shared_memory.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr int most_patch_rows = 8;
constexpr int few_threads = 3 * 32;  // which leave a quarter of a multiprocessor idle
constexpr int most_slice_depth = 8;
constexpr std::int64_t widest_layer = 512;  // whose slices are 4 deep, which one thread brings

std::int64_t groups(std::int64_t columns) { return ceil_div(columns, chain_patch_columns); }

// What a thread brings of a slice at a time are 4 elements of a row or of a column.
int slice_depth(std::int64_t column_groups) {
  int depth = most_slice_depth;
  while (depth * column_groups * chain_patch_columns > std::int64_t{4} * chain_threads) depth /= 2;
  return depth;
}

ChainStep plan_step(const ChainProduct& product, int rows) {
  ChainStep step{};
  step.depth = static_cast<int>(product.depth);
  step.columns = static_cast<int>(product.columns);
  step.activation = product.activation;
  step.column_groups = static_cast<int>(groups(product.columns));
  step.slice_depth = slice_depth(step.column_groups);
  step.slice_pitch = step.column_groups * chain_patch_columns + 4;
  step.weights = product.weights;
  const auto threads = [&](int patch_rows) { return step.column_groups * (rows / patch_rows); };
  step.patch_rows = most_patch_rows;
  while (step.patch_rows > 1 && threads(step.patch_rows) <= few_threads) step.patch_rows /= 2;
  return step;
}

ChainPlan plan_rows(const std::vector<ChainProduct>& products, std::int64_t width, int rows) {
  ChainPlan plan{};
  plan.rows = rows;
  plan.pitch = static_cast<int>(round_up(rows, 32)) + 4;
  plan.steps = static_cast<int>(products.size());
  std::int64_t widest = width;
  for (int s = 0; s < plan.steps; ++s) {
    const ChainProduct& product = products[static_cast<std::size_t>(s)];
    const ChainStep step = plan_step(product, rows);
    plan.step[s] = step;
    widest = std::max(widest, product.columns);
    plan.slice_elements = std::max(plan.slice_elements, step.slice_depth * step.slice_pitch);
  }
  plan.slices = widest * plan.pitch;
  plan.shared_bytes = (plan.slices + std::int64_t{chain_stages} * plan.slice_elements) * 4;
  return plan;
}

}  // namespace

std::vector<ChainProduct> forward_products(const Network& network) {
  std::vector<ChainProduct> products;
  for (const Layer& layer : network.layers()) {
    products.push_back({layer.inputs, layer.outputs, layer.activation, layer.weights_offset});
  }
  return products;
}

std::vector<ChainProduct> backward_products(const Network& network) {
  std::vector<ChainProduct> products;
  for (std::size_t l = network.layers().size(); l-- > 1;) {
    const Layer& layer = network.layers()[l];
    const Activation below = network.layers()[l - 1].activation;
    products.push_back({layer.outputs, layer.inputs, below, layer.weights_offset});
  }
  return products;
}

ChainPlan plan_chain(const std::vector<ChainProduct>& products, std::int64_t width,
                     std::int64_t points) {
  std::int64_t most_groups = 1;
  for (const ChainProduct& product : products) {
    most_groups = std::max(most_groups, groups(product.columns));
  }
  const std::int64_t for_each_multiprocessor =
      ceil_div(ceil_div(points, device_limits().multiprocessors), most_patch_rows);
  std::int64_t row_groups =
      std::clamp(for_each_multiprocessor, std::int64_t{1}, chain_threads / most_groups);
  const auto planned = [&] {
    return plan_rows(products, width, static_cast<int>(row_groups) * most_patch_rows);
  };
  while (row_groups > 1 && planned().shared_bytes > shared_limit(shared_bytes_90)) --row_groups;
  return planned();
}

unsigned chain_blocks(const ChainPlan& plan, std::int64_t points) {
  return static_cast<unsigned>(
      std::min(ceil_div(points, plan.rows), device_limits().multiprocessors));
}

std::optional<std::string> why_no_chain(const Network& network) {
  const auto layers = static_cast<std::int64_t>(network.layers().size());
  if (layers > most_chain_layers) {
    return fmt::format("{} layers; expected at most {}; tiled serves more", layers,
                       most_chain_layers);
  }
  if (const std::int64_t widest = network.greatest_width(); widest > widest_layer) {
    return fmt::format("a layer of {}; a block holds points of at most {}; tiled serves wider ones",
                       widest, widest_layer);
  }
  const ChainPlan forward =
      plan_rows(forward_products(network), network.input_width(), most_patch_rows);
  const ChainPlan backward =
      plan_rows(backward_products(network), network.embedding_width(), most_patch_rows);
  const std::int64_t least = std::max(forward.shared_bytes, backward.shared_bytes);
  if (const std::int64_t most = shared_limit(shared_bytes_90); least > most) {
    return fmt::format("{} points take {} bytes of shared memory; expected at most {}",
                       most_patch_rows, least, most);
  }
  return std::nullopt;
}

}  // namespace siamese::cuda
