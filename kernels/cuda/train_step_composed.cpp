#include "kernels/cuda/train_step_composed.h"

#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernels/cuda/captured.h"
#include "kernels/cuda/variant_parts.h"
#include "kernels/device.h"
#include "model/error.h"

// A training step composed of other ops' variants, one after another on one stream. What they hand
// to each other - hidden activations, E, G and the gradients by the parameters - is in a workspace.
// At the sizes of the original experiment such a step is a dozen launches of a few microseconds
// each and most of its time is the launching; the graph variant captures them once and replays them
// by one call.

namespace siamese::cuda {
namespace {

constexpr Composition naive{.name = "naive",
                            .rung = 1,
                            .forward = "naive",
                            .distance_loss = "atomic",
                            .all_pairs_loss = "square",
                            .backward = "naive",
                            .adam = "naive",
                            .deterministic = false};

constexpr Composition tiled{.name = "tiled",
                            .rung = 2,
                            .forward = "tiled",
                            .distance_loss = "gather",
                            .all_pairs_loss = "triangle",
                            .backward = "tiled",
                            .adam = "vector"};

constexpr Composition graph = [] {
  Composition parts = tiled;
  parts.name = "graph";
  parts.rung = 3;
  parts.captured = true;
  return parts;
}();

constexpr Composition mma = [] {
  Composition parts = tiled;
  parts.name = "mma";
  parts.rung = 4;
  parts.forward = "mma";
  parts.backward = "mma";
  return parts;
}();

template <class Args>
const Variant<Args>& find(std::string_view name, Precision precision) {
  for (const Variant<Args>& variant : variants<Args>()) {
    if (variant.device == Device::cuda && variant.precision == precision && variant.name == name) {
      return variant;
    }
  }
  throw UsageError(
      fmt::format("cuda: there is no {}/{} in {}", op_name<Args>, name, siamese::name(precision)));
}

template <class T>
struct Workspace {
  Buffer<T> hidden;
  Buffer<T> embeddings;
  Buffer<T> gradient;
  Buffer<T> gradients;

  explicit Workspace(const TrainStepArgs<T>& args)
      : hidden(Device::cuda, args.points * args.network->hidden_width()),
        embeddings(Device::cuda, args.points * args.network->embedding_width()),
        gradient(Device::cuda, embeddings.size()),
        gradients(Device::cuda, args.network->parameter_count()) {}
};

/// The variant of an op of the step, which serves its shape.
template <class Args>
const Variant<Args>& find_serving(std::string_view name, Precision precision, const Args& args) {
  const Variant<Args>& variant = find<Args>(name, precision);
  if (const auto reason = variant.why_unsupported(args)) {
    throw UsageError(fmt::format("cuda: {}/{}: {}", op_name<Args>, name, *reason));
  }
  return variant;
}

/// One op of the step, prepared.
template <class Args>
Launch prepare_part(std::string_view name, Precision precision, const Args& args) {
  return find_serving(name, precision, args).prepare(args);
}

template <class T>
LayerLaunches prepare_layers(const Composition& parts, Precision products,
                             const PairForwardArgs<T>& forward,
                             const PairBackwardArgs<T>& backward) {
  const auto& forward_variant = find_serving(parts.forward, products, forward);
  const auto& backward_variant = find_serving(parts.backward, products, backward);
  if constexpr (std::is_same_v<T, float>) {
    if (parts.layers != nullptr) return parts.layers(forward, backward, products);
  }
  return {forward_variant.prepare(forward), backward_variant.prepare(backward)};
}

template <class T>
Launch prepare_loss(const Composition& parts, const TrainStepArgs<T>& args,
                    const Workspace<T>& workspace) {
  const std::int64_t width = args.network->embedding_width();
  if (args.pairs.form == PairForm::all) {
    const AllPairsLossArgs<T> all{.points = args.points,
                                  .width = width,
                                  .embeddings = workspace.embeddings.data(),
                                  .coordinate_width = args.pairs.coordinate_width,
                                  .coordinates = args.pairs.coordinates,
                                  .loss = args.loss,
                                  .loss_value = args.loss_value,
                                  .gradient = workspace.gradient.data()};
    const auto& wanted = find<AllPairsLossArgs<T>>(parts.all_pairs_loss, precision_of<T>);
    return prepare_part(wanted.why_unsupported(all) ? "square" : wanted.name, precision_of<T>, all);
  }
  return prepare_part(parts.distance_loss, precision_of<T>,
                      DistanceLossArgs<T>{.points = args.points,
                                          .width = width,
                                          .embeddings = workspace.embeddings.data(),
                                          .pairs = args.pairs,
                                          .loss = args.loss,
                                          .loss_value = args.loss_value,
                                          .gradient = workspace.gradient.data()});
}

template <class T>
Launch prepare(const Composition& parts, Precision products, const TrainStepArgs<T>& args) {
  const auto workspace = std::make_shared<const Workspace<T>>(args);
  const LayerLaunches layers =
      prepare_layers(parts, products,
                     PairForwardArgs<T>{.network = args.network,
                                        .points = args.points,
                                        .x = args.x,
                                        .parameters = args.parameters,
                                        .hidden = workspace->hidden.data(),
                                        .embeddings = workspace->embeddings.data()},
                     PairBackwardArgs<T>{.network = args.network,
                                         .points = args.points,
                                         .x = args.x,
                                         .parameters = args.parameters,
                                         .hidden = workspace->hidden.data(),
                                         .embeddings = workspace->embeddings.data(),
                                         .gradient = workspace->gradient.data(),
                                         .gradients = workspace->gradients.data()});
  const Launch loss = prepare_loss(parts, args, *workspace);
  const Launch adam = prepare_part(parts.adam, precision_of<T>,
                                   AdamArgs<T>{.count = workspace->gradients.size(),
                                               .gradients = workspace->gradients.data(),
                                               .parameters = args.parameters,
                                               .m = args.m,
                                               .v = args.v,
                                               .step = args.step,
                                               .adam = args.adam});
  const Launch step = [workspace, layers, loss, adam](Stream stream) {
    layers.forward(stream);
    loss(stream);
    layers.backward(stream);
    adam(stream);
  };
  return traced(args, parts.name, products, parts.captured ? captured(step) : step);
}

const Register<TrainStepArgs<float>> naive_float32(composed_step<float>(naive, Precision::float32));
const Register<TrainStepArgs<double>> naive_float64(composed_step<double>(naive,
                                                                          Precision::float64));
const Register<TrainStepArgs<float>> tiled_float32(composed_step<float>(tiled, Precision::float32));
const Register<TrainStepArgs<float>> graph_float32(composed_step<float>(graph, Precision::float32));
const Register<TrainStepArgs<float>> mma_bf16(composed_step<float>(mma, Precision::bf16));
const Register<TrainStepArgs<float>> mma_tf32(composed_step<float>(mma, Precision::tf32));
const Register<TrainStepArgs<float>> mma_tf32x3(composed_step<float>(mma, Precision::tf32x3));

}  // namespace

template <class T>
Variant<TrainStepArgs<T>> composed_step(const Composition& parts, Precision products) {
  return {.name = std::string(parts.name),
          .device = Device::cuda,
          .precision = products,
          .rung = parts.rung,
          .why_unsupported = serves_all<TrainStepArgs<T>>,
          .prepare = [parts, products](
                         const TrainStepArgs<T>& args) { return prepare(parts, products, args); },
          .deterministic = parts.deterministic};
}

template Variant<TrainStepArgs<float>> composed_step(const Composition&, Precision);
template Variant<TrainStepArgs<double>> composed_step(const Composition&, Precision);

}  // namespace siamese::cuda
