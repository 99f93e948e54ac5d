#include "kernels/cuda/fused_plan.h"

#include <fmt/format.h>

#include "kernels/cuda/launch.h"
#include "kernels/multiples.h"

namespace siamese::cuda {
namespace {

int padded(std::int64_t width) { return static_cast<int>(round_up(width, product_depth)); }

}  // namespace

FusedLayer FusedPlaces::take_layer(const Layer& layer, std::int64_t depth, std::int64_t columns) {
  FusedLayer fused{};
  fused.inputs = static_cast<int>(layer.inputs);
  fused.outputs = static_cast<int>(layer.outputs);
  fused.depth = padded(depth);
  fused.columns = padded(columns);
  fused.pitch = fused.columns + padding_;
  fused.activation = layer.activation;
  fused.parameters = layer.weights_offset;
  fused.weights = take(fused.depth * fused.pitch * 2);
  fused.bias = take(fused.columns * 4);
  return fused;
}

FusedPlan plan_fused(const Network& network, const FusedForm& form) {
  FusedPlan plan{};
  plan.layers = static_cast<int>(network.layers().size());
  FusedPlaces places(form.padding);
  for (int l = 0; l < plan.layers; ++l) {
    const Layer& layer = network.layers()[static_cast<std::size_t>(l)];
    plan.layer[l] = places.take_layer(layer, layer.inputs, layer.outputs);
  }
  plan.widest = padded(network.greatest_width());
  plan.pitch = plan.widest + form.padding;
  plan.activation_bytes = form.buffers * form.rows * plan.pitch * 2;
  plan.activations = places.take(form.units * plan.activation_bytes);
  plan.shared_bytes = places.bytes();
  return plan;
}

std::optional<std::string> why_not_fused(const Network& network, const FusedForm& form) {
  const auto layers = static_cast<std::int64_t>(network.layers().size());
  if (layers > most_fused_layers) {
    return fmt::format("{} layers; expected at most {}", layers, most_fused_layers);
  }
  if (const std::int64_t width = network.greatest_width(); width > form.widest_layer) {
    return fmt::format("a layer of {}; a block holds rows of at most {}", width, form.widest_layer);
  }
  const std::int64_t bytes = plan_fused(network, form).shared_bytes;
  const std::int64_t most = shared_limit(form.most_shared_bytes);
  if (bytes <= most) return std::nullopt;
  return fmt::format("all parameters take {} bytes of shared memory; expected at most {}", bytes,
                     most);
}

std::optional<std::string> why_not_pair_by_pair(const TrainStepArgs<float>& args) {
  constexpr std::int64_t most_pairs_a_point = 8;  // above, steps that compute a point once do less
  if (has_weights(args.loss.distance)) {
    return "a distance with weights, whose gradient has no place on chip; composed steps serve it";
  }
  if (args.pairs.form == PairForm::all) {
    return "all pairs of some points; expected pairs that bring points of their own";
  }
  if (args.pairs.count > most_pairs_a_point * args.points) {
    return fmt::format(
        "{} pairs of {} points; expected at most {} a point, for each pair computes "
        "both of its points",
        args.pairs.count, args.points, most_pairs_a_point);
  }
  return std::nullopt;
}

}  // namespace siamese::cuda
