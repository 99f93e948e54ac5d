#include "model/network.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "model/error.h"

namespace siamese {
namespace {

constexpr std::array activations_by_name{Activation::linear, Activation::relu, Activation::sigmoid,
                                         Activation::tanh};

// Bounds every product of two widths, so that parameter counts cannot overflow 64 bits.
constexpr std::int64_t largest_width = std::int64_t{1} << 24;

Activation parse_activation(std::string_view text, std::string_view network) {
  for (const Activation activation : activations_by_name) {
    if (text == name(activation)) return activation;
  }
  throw UsageError(
      fmt::format("network '{}': unknown activation '{}'; expected linear, relu, sigmoid or tanh",
                  network, text));
}

}  // namespace

std::string_view name(Activation activation) {
  switch (activation) {
    case Activation::linear:
      return "linear";
    case Activation::relu:
      return "relu";
    case Activation::sigmoid:
      return "sigmoid";
    case Activation::tanh:
      return "tanh";
  }
  throw UsageError("unknown activation");
}

Network::Network(const std::vector<std::int64_t>& widths,
                 const std::vector<Activation>& activations) {
  if (activations.empty() || widths.size() != activations.size() + 1) {
    throw UsageError(
        fmt::format("network: {} widths and {} activations; expected one activation per layer and "
                    "one width more, for the input",
                    widths.size(), activations.size()));
  }
  for (const std::int64_t width : widths) {
    if (width < 1 || width > largest_width) {
      throw UsageError(fmt::format("network: width {}; expected 1 to {}", width, largest_width));
    }
  }
  std::int64_t offset = 0;
  for (std::size_t l = 0; l < activations.size(); ++l) {
    const std::int64_t inputs = widths[l];
    const std::int64_t outputs = widths[l + 1];
    const std::int64_t bias_offset = offset + inputs * outputs;
    layers_.push_back({inputs, outputs, activations[l], offset, bias_offset});
    offset = bias_offset + outputs;
  }
}

Network Network::parse(std::string_view text) {
  std::vector<std::int64_t> widths;
  std::vector<Activation> activations;
  std::string_view rest = text;
  while (true) {
    const std::string_view part = rest.substr(0, rest.find('-'));
    std::int64_t width = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), width);
    if (error == std::errc::result_out_of_range) {
      throw UsageError(
          fmt::format("network '{}': width of '{}'; expected 1 to {}", text, part, largest_width));
    }
    if (error != std::errc{}) {
      throw UsageError(
          fmt::format("network '{}': '{}' does not begin with a width; expected a form like {}",
                      text, part, seed_network().name()));
    }
    const std::string_view activation = part.substr(static_cast<std::size_t>(end - part.data()));
    if (widths.empty()) {
      if (!activation.empty()) {
        throw UsageError(fmt::format(
            "network '{}': the input '{}' has no activation; expected a width alone", text, part));
      }
    } else {
      activations.push_back(activation.empty() ? Activation::linear
                                               : parse_activation(activation, text));
    }
    widths.push_back(width);
    if (part.size() == rest.size()) break;
    rest.remove_prefix(part.size() + 1);
  }
  return {widths, activations};
}

std::string Network::name() const {
  std::string text = fmt::format("{}", input_width());
  for (const Layer& layer : layers_) {
    text += fmt::format("-{}{}", layer.outputs, siamese::name(layer.activation));
  }
  return text;
}

std::int64_t Network::parameter_count() const {
  return layers_.back().bias_offset + layers_.back().outputs;
}

std::int64_t Network::greatest_outputs() const {
  std::int64_t greatest = 0;
  for (const Layer& layer : layers_) greatest = std::max(greatest, layer.outputs);
  return greatest;
}

std::int64_t Network::hidden_width() const {
  std::int64_t width = 0;
  for (const Layer& layer : layers_) width += layer.outputs;
  return width - embedding_width();
}

std::int64_t Network::forward_multiply_adds() const {
  std::int64_t count = 0;
  for (const Layer& layer : layers_) count += layer.inputs * layer.outputs;
  return count;
}

std::int64_t Network::backward_multiply_adds() const {
  return 2 * forward_multiply_adds() - layers_.front().inputs * layers_.front().outputs;
}

Network seed_network(std::int64_t landmarks, std::int64_t dimensions) {
  return {{landmarks, 200, 200, dimensions},
          {Activation::relu, Activation::relu, Activation::sigmoid}};
}

}  // namespace siamese
