#pragma once

#include "kernels/cpu/simd/activation.h"
#include "kernels/cpu/simd/product.h"
#include "kernels/cpu/simd/tiled.h"
#include "model/parameters.h"

// Forward and backward of one layer on a tile of points, each product with what follows it on the
// way from the registers to memory.

namespace siamese {
namespace {

/// Part `part` of 0 .. count - 1, in whole multiples of `grain`.
struct Range {
  std::int64_t begin;
  std::int64_t end;
};
inline Range part_of(std::int64_t count, int part, int parts, std::int64_t grain) {
  const std::int64_t grains = (count + grain - 1) / grain;
  const std::int64_t end = grains * (part + 1) / parts * grain;
  return {grains * part / parts * grain, end < count ? end : count};
}

/// Calls use(panel, column, width) for the panels of a packed matrix [depth, columns].
template <class T, class Use>
inline void for_panels(T* panels, std::int64_t depth, std::int64_t columns, const Use& use) {
  const std::int64_t all_vectors = (columns + lanes<T> - 1) / lanes<T>;
  for (std::int64_t done = 0; done < all_vectors;) {
    const int vectors = panel_vectors(all_vectors - done);
    const std::int64_t column = done * lanes<T>;
    use(panels + column * depth, column, std::int64_t{vectors} * lanes<T>);
    done += vectors;
  }
}

template <class T>
void pack(const Layer& layer, const T* parameters, int part, int parts, T* panels, T* bias) {
  const LayerView<const T> p = view(layer, parameters);
  const Range depth = part_of(layer.inputs, part, parts, 1);
  for_panels(panels, layer.inputs, layer.outputs,
             [&](T* panel, std::int64_t column, std::int64_t width) {
               const std::int64_t left = layer.outputs - column;
               const std::int64_t used = width < left ? width : left;
               for (std::int64_t k = depth.begin; k < depth.end; ++k) {
                 T* const to = panel + k * width;
                 const T* const from = p.weights + k * layer.outputs + column;
                 for (std::int64_t j = 0; j < used; ++j) to[j] = from[j];
                 for (std::int64_t j = used; j < width; ++j) to[j] = T(0);
               }
             });
  if (part != 0) return;
  for (std::int64_t j = 0; j < layer.outputs; ++j) bias[j] = p.bias[j];
  for (std::int64_t j = layer.outputs; j < round_up(layer.outputs, lanes<T>); ++j) bias[j] = T(0);
}

template <class T>
void pack_transposed(const Layer& layer, const T* parameters, int part, int parts, T* panels) {
  constexpr int size = lanes<T> < 8 ? lanes<T> : 8;  // of the squares that go through registers
  using Row = typename VectorOf<T, size* static_cast<int>(sizeof(T))>::type;
  const T* const w = view(layer, parameters).weights;
  const Range depth = part_of(layer.outputs, part, parts, size);
  for_panels(
      panels, layer.outputs, layer.inputs, [&](T* panel, std::int64_t column, std::int64_t width) {
        for (std::int64_t j = 0; j < width; j += size) {
          const T* const from = w + (column + j) * layer.outputs;
          for (std::int64_t k = depth.begin; k < depth.end; k += size) {
            if (column + j + size <= layer.inputs && k + size <= depth.end) {
              Row rows[size];
              repeat<size>([&](auto i) { rows[i] = load<T, Row>(from + i * layer.outputs + k); });
              transpose(rows);
              repeat<size>([&](auto i) { store(panel + (k + i) * width + j, rows[i]); });
              continue;
            }
            for (std::int64_t kk = k; kk < k + size && kk < depth.end; ++kk) {
              for (std::int64_t i = 0; i < size; ++i) {
                const bool inside = column + j + i < layer.inputs;
                panel[kk * width + j + i] = inside ? from[i * layer.outputs + kk] : T(0);
              }
            }
          }
        }
      });
}

template <class T>
void forward(const Layer& layer, std::int64_t rows, TileView<const T> input, const T* panels,
             const T* bias, TileView<T> h) {
  // relu and linear are one maximum on the way to memory; `lower > z` leaves a NaN as it is.
  const T lower = layer.activation == Activation::relu ? T(0) : -__builtin_huge_val();
  product(
      rows, layer.outputs, layer.inputs, Strided<T>{input.data, input.stride, 1},
      Packed<T>{panels, layer.inputs},
      [&](std::int64_t, std::int64_t column) { return load(bias + column); },
      [&](std::int64_t row, std::int64_t column, Vector<T> z) {
        store(h.data + row * h.stride + column, broadcast(lower) > z ? broadcast(lower) : z);
      });

  const auto apply = [&](auto activate) {
    for (std::int64_t row = 0; row < rows; ++row) {
      T* const z = h.data + row * h.stride;
      for (std::int64_t column = 0; column < layer.outputs; column += lanes<T>) {
        store(z + column, activate(load(z + column)));
      }
    }
  };
  if (layer.activation == Activation::sigmoid) apply(sigmoid<T>);
  if (layer.activation == Activation::tanh) apply(hyperbolic_tangent<T>);
}

template <class T>
void output_gradient(const Layer& layer, std::int64_t rows, TileView<const T> h, TileView<T> dh) {
  for_activation(layer.activation, [&]<Activation activation>() {
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < layer.outputs; column += lanes<T>) {
        T* const at = dh.data + row * dh.stride + column;
        const Vector<T> h_vector = load(h.data + row * h.stride + column);
        store(at, load(at) * derivative<activation, T>(h_vector));
      }
    }
  });
}

template <class T>
void input_gradient(const Layer& layer, std::int64_t rows, TileView<const T> dz,
                    const T* transposed_panels, Activation below, TileView<const T> h_below,
                    TileView<T> dz_below) {
  for_activation(below, [&]<Activation activation>() {
    product(
        rows, layer.inputs, layer.outputs, Strided<T>{dz.data, dz.stride, 1},
        Packed<T>{transposed_panels, layer.outputs},
        [](std::int64_t, std::int64_t) { return Vector<T>{}; },
        [&](std::int64_t row, std::int64_t column, Vector<T> dh) {
          const Vector<T> h = load(h_below.data + row * h_below.stride + column);
          store(dz_below.data + row * dz_below.stride + column, dh * derivative<activation, T>(h));
        });
  });
}

template <class T>
void weight_gradient(const Layer& layer, std::int64_t rows, TileView<const T> input,
                     TileView<const T> dz, T* dw, T* db) {
  const std::int64_t stride = padded_stride<T>(layer.outputs);
  product(
      layer.inputs, layer.outputs, rows, Strided<T>{input.data, 1, input.stride},
      Rows<T>{dz.data, dz.stride},
      [&](std::int64_t row, std::int64_t column) { return load(dw + row * stride + column); },
      [&](std::int64_t row, std::int64_t column, Vector<T> sum) {
        store(dw + row * stride + column, sum);
      });
  for (std::int64_t column = 0; column < layer.outputs; column += lanes<T>) {
    Vector<T> sum = load(db + column);
    for (std::int64_t row = 0; row < rows; ++row) sum += load(dz.data + row * dz.stride + column);
    store(db + column, sum);
  }
}

}  // namespace
}  // namespace siamese
