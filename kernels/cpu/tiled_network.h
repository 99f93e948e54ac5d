#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd/tiled.h"
#include "kernels/device.h"
#include "kernels/multiples.h"
#include "model/network.h"

namespace siamese {

/// `items` split into tiles of `size` or less (a multiple of `grain`), as many for each thread.
struct Tiling {
  std::int64_t items = 0;
  std::int64_t size = 0;

  Tiling(std::int64_t items, std::int64_t most, std::int64_t grain, int threads);
  std::int64_t count() const { return ceil_div(items, size); }
  std::int64_t begin(std::int64_t tile) const { return tile * size; }
  std::int64_t length(std::int64_t tile) const { return std::min(size, items - begin(tile)); }
};

/// Points in a tile. Tiles go through all layers while their activations are in the L2 cache.
inline constexpr std::int64_t points_per_tile = 128;

/// Workspace and passes of the tiled rung: packed weights, activations of `tiles` tiles of points,
/// and each thread's gradients, in the padded layouts of kernels/cpu/simd/tiled.h. Nothing is
/// allocated after construction.
///
/// A pass by all threads:   pack | barrier | forward tiles | .. | backward tiles | barrier | reduce
template <class T>
class TiledNetwork {
 public:
  /// What a pass will need, for memory alone.
  enum class Passes { forward, backward, both };

  TiledNetwork(const Network& network, Passes passes, std::int64_t tile_rows, std::int64_t tiles,
               int threads);

  const Network& network() const { return network_; }
  const TiledKernels<T>& kernels() const { return kernels_; }

  /// Packs this thread's share of the weights, for the passes that were asked for.
  void pack(const T* parameters, Team team) const;

  /// h_l of a tile [tile_rows, d_l], l = 0 .. L; h_0 is its input. The embeddings h_L of
  /// consecutive tiles are consecutive rows.
  TileView<T> activations(std::int64_t tile, std::size_t l) const;
  TileView<T> embeddings(std::int64_t tile) const {
    return activations(tile, network_.layers().size());
  }

  /// h_0 -> h_1 .. h_L of the tile's first `rows` points.
  void forward(std::int64_t tile, std::int64_t rows) const;

  /// Sets the gradients of a thread to 0.
  void begin_gradients(int thread) const;
  /// Where backward expects G [tile_rows, d] of the tile that a thread works on.
  TileView<T> embedding_gradient(int thread) const;
  /// Adds the tile's gradients to the thread's; overwrites its embedding_gradient and the tile's
  /// hidden activations, each of which dz takes the place of.
  void backward(std::int64_t tile, std::int64_t rows, int thread) const;

  /// Calls use(offset, count, sums) for pieces of the flat parameter buffer that make up this
  /// thread's share of it: the gradients, summed over the team's threads in their order.
  template <class Use>
  void reduce(Team team, const Use& use) const;

 private:
  /// Where a layer's things begin in the buffers.
  struct Offsets {
    std::int64_t panels;
    std::int64_t bias;
    std::int64_t input;    // of the layer, in a tile's activations
    std::int64_t weights;  // in a thread's gradients
    std::int64_t bias_gradient;
  };

  T* gradients(int thread) const { return gradients_.data() + thread * gradient_elements_; }

  Network network_;
  Passes passes_;
  TiledKernels<T> kernels_;
  std::int64_t tile_rows_;
  std::vector<Offsets> offsets_;
  std::int64_t tile_elements_ = 0;
  std::int64_t gradient_elements_ = 0;
  Buffer<T> panels_, transposed_panels_, biases_;
  Buffer<T> activations_, embeddings_;
  Buffer<T> embedding_gradients_;  // [threads, tile_rows, stride]
  Buffer<T> gradients_;
};

template <class T>
template <class Use>
void TiledNetwork<T>::reduce(Team team, const Use& use) const {
  // A bias is one row more. Rows are shared out by their elements' number.
  const std::int64_t all = network_.parameter_count();
  const Team::Range share = team.share(all);
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    const Layer& layer = network_.layers()[l];
    const std::int64_t stride = padded_stride<T>(layer.outputs);
    for (std::int64_t row = 0; row <= layer.inputs; ++row) {
      const std::int64_t offset = layer.weights_offset + row * layer.outputs;
      if (offset < share.begin || offset >= share.end) continue;
      const std::int64_t from =
          row < layer.inputs ? offsets_[l].weights + row * stride : offsets_[l].bias_gradient;
      T* const sums = gradients(0) + from;
      for (int thread = 1; thread < team.size(); ++thread) {
        const T* const others = gradients(thread) + from;
        for (std::int64_t j = 0; j < layer.outputs; ++j) sums[j] += others[j];
      }
      use(offset, layer.outputs, static_cast<const T*>(sums));
    }
  }
}

}  // namespace siamese
