#include "kernels/cuda/fused_step_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

constexpr std::int64_t widest = 1024;  // below which all sizes here are 32-bit

}  // namespace

FusedStepPlan plan_fused_step(const Network& network) {
  FusedStepPlan plan{};
  plan.parameters = network.parameter_count();
  FusedPlaces places(fused_mma.padding);
  for (int l = 0; l < step_layers; ++l) {
    const Layer& layer = network.layers()[static_cast<std::size_t>(l)];
    const bool last = l == step_layers - 1;
    plan.layer[l] = places.take_layer(layer, layer.inputs + 1, layer.outputs + (last ? 0 : 1));
  }
  for (int l = 0; l <= step_layers; ++l) plan.rows[l] = places.take(step_rows * plan.pitch(l) * 2);
  plan.embeddings = places.take(step_rows * plan.layer[step_layers - 1].pitch * 4);
  plan.held[1] = std::min(plan.layer[1].depth, middle_rows);
  for (int l = 0; l < step_layers; ++l) {
    const FusedLayer& layer = plan.layer[l];
    plan.gradient[l] = places.take((layer.depth - plan.held[l]) * layer.pitch * 4);
  }
  plan.shared_bytes = places.bytes();
  return plan;
}

std::int64_t fused_step_blocks(std::int64_t rows) {
  return std::clamp<std::int64_t>(ceil_div(rows, step_rows), 1, device_limits().multiprocessors);
}

std::optional<std::string> why_no_fused_step(const Network& network) {
  const std::size_t layers = network.layers().size();
  if (layers != step_layers) return fmt::format("{} layers; expected {}", layers, step_layers);
  // With the column of ones that follows it.
  if (const std::int64_t width = network.layers()[1].outputs; width >= middle_columns) {
    return fmt::format("a second layer of {}; registers hold the gradient of at most {}", width,
                       middle_columns - 1);
  }
  for (const Layer& layer : network.layers()) {
    if (const std::int64_t width = std::max(layer.inputs, layer.outputs); width > widest) {
      return fmt::format("a width of {}; shared memory does not hold more than {}", width, widest);
    }
  }
  const std::int64_t bytes = plan_fused_step(network).shared_bytes;
  const std::int64_t most = shared_limit(shared_bytes_90);
  if (bytes <= most) return std::nullopt;
  return fmt::format("a step takes {} bytes of shared memory; expected at most {}", bytes, most);
}

}  // namespace siamese::cuda
