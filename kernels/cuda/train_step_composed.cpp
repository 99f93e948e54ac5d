#include "kernels/cuda/train_step_composed.h"

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernels/cuda/captured.h"
#include "kernels/cuda/variant_parts.h"
#include "kernels/device.h"
#include "model/error.h"

// A training step composed of other ops' variants, one after another on one stream. What they hand
// to each other - hidden activations, E, G and the gradients by the parameters - is in a workspace.
//   naive, tiled  the passes through the network of these rungs, with losses and Adam to match: the
//                 simplest for naive, for tiled the highest that leave the same bits each time
//   graph         the launches of tiled, a dozen of a few microseconds each, captured once and
//                 replayed by one call, for at the sizes of the original experiment most of a
//                 step's time is the launching. All further ones are graphs too, also those of
//                 cuBLAS (train_step_cublas.cpp).
//   chain         forward in one launch, and dz of all layers in another, strictly in float32:
//                 activations and gradients stay on chip from layer to layer
//   mma           the layers' products on tensor cores
//   passes        a launch a pass (train_step_passes.cpp)

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

constexpr Composition tiled{.name = "tiled", .rung = 2, .forward = "tiled", .backward = "tiled"};

constexpr Composition graph = [] {
  Composition parts = tiled;
  parts.name = "graph";
  parts.rung = 3;
  parts.captured = true;
  return parts;
}();

/// graph with other variants of the two passes.
constexpr Composition graph_of(std::string_view name, std::string_view passes) {
  Composition parts = graph;
  parts.name = name;
  parts.rung = 4;
  parts.forward = passes;
  parts.backward = passes;
  return parts;
}

constexpr Composition chain = graph_of("chain", "chain");
constexpr Composition mma = graph_of("mma", "mma");

/// Null where a program was linked without it.
template <class Args>
const Variant<Args>* look_up(std::string_view name, Precision precision) {
  for (const Variant<Args>& variant : variants<Args>()) {
    if (variant.device == Device::cuda && variant.precision == precision && variant.name == name) {
      return &variant;
    }
  }
  return nullptr;
}

template <class Args>
std::string missing(std::string_view name, Precision precision) {
  return fmt::format("there is no {}/{} in {}", op_name<Args>, name, siamese::name(precision));
}

template <class Args>
const Variant<Args>& find(std::string_view name, Precision precision) {
  const Variant<Args>* const variant = look_up<Args>(name, precision);
  if (variant == nullptr) throw UsageError("cuda: " + missing<Args>(name, precision));
  return *variant;
}

template <class Args>
std::optional<std::string> why_not(std::string_view name, Precision precision, const Args& args) {
  const Variant<Args>* const variant = look_up<Args>(name, precision);
  return variant == nullptr ? missing<Args>(name, precision) : variant->why_unsupported(args);
}

/// What the parts hand to each other.
template <class T>
struct Workspace {
  Buffer<T> hidden;
  Buffer<T> embeddings;
  Buffer<T> gradient;
  Buffer<T> gradients;

  Workspace(const TrainStepArgs<T>& args, bool hands_hidden)
      : hidden(Device::cuda, hands_hidden ? args.points * args.network->hidden_width() : 0),
        embeddings(Device::cuda, args.points * args.network->embedding_width()),
        gradient(Device::cuda, embeddings.size()),
        gradients(Device::cuda, parameter_count(*args.network, args.loss)) {}
};

/// The arguments of a step's parts; without a workspace, their shapes.
template <class T>
class PartArgs {
 public:
  explicit PartArgs(const TrainStepArgs<T>& step, const Workspace<T>* workspace = nullptr)
      : step_(step) {
    if (workspace == nullptr) return;
    hidden_ = workspace->hidden.data();
    embeddings_ = workspace->embeddings.data();
    gradient_ = workspace->gradient.data();
    gradients_ = workspace->gradients.data();
    merge_ = step.parameters + step.network->parameter_count();
    merge_gradient_ = gradients_ + step.network->parameter_count();
  }

  PairForwardArgs<T> forward() const {
    return {.network = step_.network,
            .points = step_.points,
            .x = step_.x,
            .parameters = step_.parameters,
            .hidden = hidden_,
            .embeddings = embeddings_};
  }
  DistanceLossArgs<T> distance_loss() const {
    return {.points = step_.points,
            .width = step_.network->embedding_width(),
            .embeddings = embeddings_,
            .merge = merge_,
            .pairs = step_.pairs,
            .loss = step_.loss,
            .loss_value = step_.loss_value,
            .gradient = gradient_,
            .merge_gradient = merge_gradient_};
  }
  AllPairsLossArgs<T> all_pairs_loss() const {
    return {.points = step_.points,
            .width = step_.network->embedding_width(),
            .embeddings = embeddings_,
            .merge = merge_,
            .coordinate_width = step_.pairs.coordinate_width,
            .coordinates = step_.pairs.coordinates,
            .loss = step_.loss,
            .loss_value = step_.loss_value,
            .gradient = gradient_,
            .merge_gradient = merge_gradient_};
  }
  PairBackwardArgs<T> backward() const {
    return {.network = step_.network,
            .points = step_.points,
            .x = step_.x,
            .parameters = step_.parameters,
            .hidden = hidden_,
            .embeddings = embeddings_,
            .gradient = gradient_,
            .gradients = gradients_};
  }
  AdamArgs<T> adam() const {
    return {.count = parameter_count(*step_.network, step_.loss),
            .gradients = gradients_,
            .parameters = step_.parameters,
            .m = step_.m,
            .v = step_.v,
            .step = step_.step,
            .adam = step_.adam};
  }

 private:
  const TrainStepArgs<T>& step_;
  T* hidden_ = nullptr;
  T* embeddings_ = nullptr;
  T* gradient_ = nullptr;
  T* gradients_ = nullptr;
  const T* merge_ = nullptr;
  T* merge_gradient_ = nullptr;
};

/// The variants of the losses that a step has: where the wanted one does not serve a shape, the
/// one that serves the most.
template <class T>
std::string_view loss_for(const Composition& parts, const DistanceLossArgs<T>& args) {
  return why_not(parts.distance_loss, precision_of<T>, args) ? "gather" : parts.distance_loss;
}
template <class T>
std::string_view loss_for(const Composition& parts, const AllPairsLossArgs<T>& args) {
  return why_not(parts.all_pairs_loss, precision_of<T>, args) ? "square" : parts.all_pairs_loss;
}

/// What a part has against a step.
template <class T>
std::optional<std::string> why_unsupported(const Composition& parts, Precision products,
                                           const TrainStepArgs<T>& step) {
  const PartArgs<T> args(step);
  if (auto reason = why_not(parts.forward, products, args.forward())) return reason;
  if (auto reason = why_not(parts.backward, products, args.backward())) return reason;
  if (step.pairs.form == PairForm::all) return std::nullopt;
  const DistanceLossArgs<T> loss = args.distance_loss();
  return why_not(loss_for(parts, loss), precision_of<T>, loss);
}

template <class T>
LayerLaunches prepare_layers(const Composition& parts, Precision products,
                             const PartArgs<T>& args) {
  if constexpr (std::is_same_v<T, float>) {
    if (parts.layers != nullptr) return parts.layers(args.forward(), args.backward(), products);
  }
  return {find<PairForwardArgs<T>>(parts.forward, products).prepare(args.forward()),
          find<PairBackwardArgs<T>>(parts.backward, products).prepare(args.backward())};
}

template <class T>
Launch prepare_loss(const Composition& parts, PairForm form, const PartArgs<T>& args) {
  const auto prepare = [&](const auto& loss) {
    return find<std::remove_cvref_t<decltype(loss)>>(loss_for(parts, loss), precision_of<T>)
        .prepare(loss);
  };
  return form == PairForm::all ? prepare(args.all_pairs_loss()) : prepare(args.distance_loss());
}

template <class T>
Launch prepare(const Composition& parts, Precision products, const TrainStepArgs<T>& step) {
  const auto workspace = std::make_shared<const Workspace<T>>(step, parts.hands_hidden);
  const PartArgs<T> args(step, workspace.get());
  const LayerLaunches layers = prepare_layers(parts, products, args);
  const Launch loss = prepare_loss(parts, step.pairs.form, args);
  const Launch adam = find<AdamArgs<T>>(parts.adam, precision_of<T>).prepare(args.adam());
  const Launch all = [workspace, layers, loss, adam](Stream stream) {
    layers.forward(stream);
    loss(stream);
    layers.backward(stream);
    adam(stream);
  };
  return traced(step, parts.name, products, parts.captured ? captured(all) : all);
}

const Register<TrainStepArgs<float>> naive_float32(composed_step<float>(naive, Precision::float32));
const Register<TrainStepArgs<double>> naive_float64(composed_step<double>(naive,
                                                                          Precision::float64));
const Register<TrainStepArgs<float>> tiled_float32(composed_step<float>(tiled, Precision::float32));
const Register<TrainStepArgs<float>> graph_float32(composed_step<float>(graph, Precision::float32));
const Register<TrainStepArgs<float>> chain_float32(composed_step<float>(chain, Precision::float32));
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
          .why_unsupported =
              [parts, products](const TrainStepArgs<T>& args) {
                return why_unsupported(parts, products, args);
              },
          .prepare = [parts, products](
                         const TrainStepArgs<T>& args) { return prepare(parts, products, args); },
          .deterministic = parts.deterministic};
}

template Variant<TrainStepArgs<float>> composed_step(const Composition&, Precision);
template Variant<TrainStepArgs<double>> composed_step(const Composition&, Precision);

}  // namespace siamese::cuda
