#include "kernels/cpu/tiled_network.h"

#include <algorithm>

#include "kernels/cpu/simd/dispatch.h"
#include "kernels/multiples.h"

namespace siamese {
namespace {

template <class T>
Buffer<T> zeros(std::int64_t count) {
  Buffer<T> buffer(Device::cpu, count);
  std::fill_n(buffer.data(), count, T(0));
  return buffer;
}

// No kernel reads or writes a vector of more elements than a cache line has.
template <class T>
constexpr std::int64_t line = 64 / static_cast<std::int64_t>(sizeof(T));

}  // namespace

Tiling::Tiling(std::int64_t items_, std::int64_t most, std::int64_t grain, int threads)
    : items(items_) {
  const std::int64_t rounds = std::max<std::int64_t>(ceil_div(items, threads * most), 1);
  size = std::max(round_up(ceil_div(items, threads * rounds), grain), grain);
}

template <class T>
TiledNetwork<T>::TiledNetwork(const Network& network, Passes passes, std::int64_t tile_rows,
                              std::int64_t tiles, int threads)
    : network_(network),
      passes_(passes),
      kernels_(for_chosen_isa([]<Isa isa>() { return tiled_kernels<isa, T>(); })),
      tile_rows_(round_up(tile_rows, tile_row_multiple)) {
  std::int64_t panels = 0;
  std::int64_t transposed_panels = 0;
  std::int64_t biases = 0;
  for (const Layer& layer : network_.layers()) {
    const std::int64_t stride = padded_stride<T>(layer.outputs);
    offsets_.push_back({panels, biases, tile_elements_, gradient_elements_,
                        gradient_elements_ + round_up(layer.inputs, tile_row_multiple) * stride});
    // Both panels of a layer begin at one offset, so that one number serves.
    const std::int64_t elements = std::max(layer.inputs * round_up(layer.outputs, line<T>),
                                           layer.outputs * round_up(layer.inputs, line<T>));
    panels += elements;
    transposed_panels += elements;
    biases += stride;
    tile_elements_ += tile_rows_ * padded_stride<T>(layer.inputs);
    gradient_elements_ = offsets_.back().bias_gradient + stride;
  }
  panels_ = zeros<T>(passes == Passes::backward ? 0 : panels);
  transposed_panels_ = zeros<T>(passes == Passes::forward ? 0 : transposed_panels);
  biases_ = zeros<T>(biases);
  activations_ = zeros<T>(tiles * tile_elements_);
  embeddings_ = zeros<T>(tiles * tile_rows_ * padded_stride<T>(network_.embedding_width()));
  if (passes != Passes::forward) {
    embedding_gradients_ =
        zeros<T>(threads * tile_rows_ * padded_stride<T>(network_.embedding_width()));
    gradients_ = zeros<T>(threads * gradient_elements_);
  }
}

template <class T>
void TiledNetwork<T>::pack(const T* parameters, Team team) const {
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    const Layer& layer = network_.layers()[l];
    const Offsets& at = offsets_[l];
    if (passes_ != Passes::backward) {
      kernels_.pack(layer, parameters, team.index(), team.size(), panels_.data() + at.panels,
                    biases_.data() + at.bias);
    }
    if (passes_ != Passes::forward && l > 0) {
      kernels_.pack_transposed(layer, parameters, team.index(), team.size(),
                               transposed_panels_.data() + at.panels);
    }
  }
}

template <class T>
TileView<T> TiledNetwork<T>::activations(std::int64_t tile, std::size_t l) const {
  if (l == network_.layers().size()) {
    const std::int64_t stride = padded_stride<T>(network_.embedding_width());
    return {embeddings_.data() + tile * tile_rows_ * stride, stride};
  }
  return {activations_.data() + tile * tile_elements_ + offsets_[l].input,
          padded_stride<T>(network_.layers()[l].inputs)};
}

template <class T>
void TiledNetwork<T>::forward(std::int64_t tile, std::int64_t rows) const {
  for (std::size_t l = 0; l < network_.layers().size(); ++l) {
    kernels_.forward(network_.layers()[l], rows, activations(tile, l),
                     panels_.data() + offsets_[l].panels, biases_.data() + offsets_[l].bias,
                     activations(tile, l + 1));
  }
}

template <class T>
void TiledNetwork<T>::begin_gradients(int thread) const {
  std::fill_n(gradients(thread), gradient_elements_, T(0));
}

template <class T>
TileView<T> TiledNetwork<T>::embedding_gradient(int thread) const {
  const std::int64_t stride = padded_stride<T>(network_.embedding_width());
  return {embedding_gradients_.data() + thread * tile_rows_ * stride, stride};
}

template <class T>
void TiledNetwork<T>::backward(std::int64_t tile, std::int64_t rows, int thread) const {
  TileView<T> dz = embedding_gradient(thread);
  kernels_.output_gradient(network_.layers().back(), rows, embeddings(tile), dz);
  for (std::size_t l = network_.layers().size(); l-- > 0;) {
    const Layer& layer = network_.layers()[l];
    const TileView<T> input = activations(tile, l);
    kernels_.weight_gradient(layer, rows, input, dz, gradients(thread) + offsets_[l].weights,
                             gradients(thread) + offsets_[l].bias_gradient);
    if (l == 0) break;
    kernels_.input_gradient(layer, rows, dz, transposed_panels_.data() + offsets_[l].panels,
                            network_.layers()[l - 1].activation, input);
    dz = input;
  }
}

template class TiledNetwork<float>;
template class TiledNetwork<double>;

}  // namespace siamese
