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

template <class T>
void pack(const Layer& layer, const T* parameters, int part, int parts, T* panels, T* bias) {
  const LayerView<const T> p = view(layer, parameters);
  const Range depth = part_of(layer.inputs, part, parts, 1);
  for_panels<T>(layer.outputs, [&](std::int64_t column, std::int64_t width) {
    T* const panel = panels + column * layer.inputs;
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

/// In squares that are transposed in registers; element by element at the edges.
template <class T>
void pack_transposed(const Layer& layer, const T* parameters, int part, int parts, T* panels) {
  constexpr int size = has_half_vectors ? lanes<T> / 2 : lanes<T>;  // divides each panel's width
  using Row = typename VectorOf<T, size* static_cast<int>(sizeof(T))>::type;
  const T* const w = view(layer, parameters).weights;
  const Range depth = part_of(layer.outputs, part, parts, size);
  const auto square = [&](std::int64_t input, std::int64_t output, T* to, std::int64_t width) {
    const T* const from = w + input * layer.outputs + output;
    if (input + size <= layer.inputs && output + size <= depth.end) {
      Row rows[size];
      repeat<size>([&](auto i) { rows[i] = load<T, Row>(from + i * layer.outputs); });
      transpose(rows);
      repeat<size>([&](auto i) { store(to + i * width, rows[i]); });
      return;
    }
    for (std::int64_t k = 0; k < size && output + k < depth.end; ++k) {
      for (std::int64_t i = 0; i < size; ++i) {
        to[k * width + i] = input + i < layer.inputs ? from[i * layer.outputs + k] : T(0);
      }
    }
  };
  for_panels<T>(layer.inputs, [&](std::int64_t column, std::int64_t width) {
    T* const panel = panels + column * layer.outputs;
    for (std::int64_t j = 0; j < width; j += size) {
      for (std::int64_t k = depth.begin; k < depth.end; k += size) {
        square(column + j, k, panel + k * width + j, width);
      }
    }
  });
}

template <class T>
void forward(const Layer& layer, std::int64_t rows, TileView<const T> input, const T* panels,
             const T* bias, TileView<T> h) {
  // relu and linear are one maximum on the way to memory; `lower > z` leaves a NaN as it is.
  const T lower = layer.activation == Activation::relu ? T(0) : -static_cast<T>(__builtin_inf());
  product(
      rows, layer.outputs, layer.inputs, Strided<T>{input.data, input.stride, 1},
      Packed<T>{panels, layer.inputs},
      [=]<class V>(std::int64_t, std::int64_t column) { return load<T, V>(bias + column); },
      [=]<class V>(std::int64_t row, std::int64_t column, V z) {
        const V bound = broadcast<T, V>(lower);
        store(h.data + row * h.stride + column, bound > z ? bound : z);
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
                    const T* transposed_panels, Activation below, TileView<T> h_to_dz) {
  for_activation(below, [&]<Activation activation>() {
    product(
        rows, layer.inputs, layer.outputs, Strided<T>{dz.data, dz.stride, 1},
        Packed<T>{transposed_panels, layer.outputs},
        []<class V>(std::int64_t, std::int64_t) { return V{}; },
        [=]<class V>(std::int64_t row, std::int64_t column, V dh) {
          T* const at = h_to_dz.data + row * h_to_dz.stride + column;
          store(at, dh * derivative<activation, T>(load<T, V>(at)));
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
      [=]<class V>(std::int64_t row, std::int64_t column) {
        return load<T, V>(dw + row * stride + column);
      },
      [=]<class V>(std::int64_t row, std::int64_t column, V sum) {
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
