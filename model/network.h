#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace siamese {

enum class Activation { linear, relu, sigmoid, tanh };

std::string_view name(Activation activation);

/// One dense layer of m1: h [n, outputs] = act(h_prev [n, inputs] W [inputs, outputs] + b
/// [outputs]).
struct Layer {
  std::int64_t inputs;
  std::int64_t outputs;
  Activation activation;
  std::int64_t weights_offset;  ///< where W, row-major, begins in the flat parameter buffer
  std::int64_t bias_offset;     ///< where b begins; it follows W
};

/// The shape of the network m1. The parameters themselves live in one flat buffer, layer after
/// layer, W then b; gradients and Adam's moments have the same layout.
class Network {
 public:
  /// widths[0] inputs, then one width and one activation per layer.
  /// Throws UsageError when a width is not 1 to 2^24 or the counts do not fit each other.
  Network(const std::vector<std::int64_t>& widths, const std::vector<Activation>& activations);

  /// Reads "11-200relu-200relu-10sigmoid": the input width, then width and activation per layer
  /// (a layer without an activation is linear). Throws UsageError that names the faulty part.
  static Network parse(std::string_view text);

  /// The inverse of parse.
  std::string name() const;

  const std::vector<Layer>& layers() const { return layers_; }
  std::int64_t input_width() const { return layers_.front().inputs; }
  std::int64_t embedding_width() const { return layers_.back().outputs; }
  std::int64_t parameter_count() const;

  /// The greatest width of a layer's output, and of those and the input.
  std::int64_t greatest_outputs() const;
  std::int64_t greatest_width() const { return std::max(input_width(), greatest_outputs()); }

  /// Elements per point of the activations of every layer but the last.
  std::int64_t hidden_width() const;

  /// Multiply-adds per point of the forward pass, the dense products alone.
  std::int64_t forward_multiply_adds() const;

  /// Multiply-adds per point of the backward pass: every weight gradient, and the gradient by each
  /// layer's input but the first's, which nobody needs.
  std::int64_t backward_multiply_adds() const;

  bool operator==(const Network& other) const { return name() == other.name(); }

 private:
  std::vector<Layer> layers_;
};

/// The network of the experiment that the project started from: 11 -> 200 relu -> 200 relu ->
/// 10 sigmoid, 44,610 parameters; `landmarks` inputs and `dimensions` outputs in general.
Network seed_network(std::int64_t landmarks = 11, std::int64_t dimensions = 10);

}  // namespace siamese
