#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"
#include "kernels/ops.h"

namespace siamese {

/// Rows of a tile are computed in multiples of this: a tile's buffers have room for them, with
/// finite numbers in it.
inline constexpr std::int64_t tile_row_multiple = 8;

/// Elements from one row to the next in the tiled kernels' buffers: whole cache lines, and an odd
/// number of them, so that rows of a power-of-two width do not all fall into the same cache sets.
template <class T>
constexpr std::int64_t padded_stride(std::int64_t width) {
  constexpr std::int64_t per_line = 64 / static_cast<std::int64_t>(sizeof(T));
  return ((width + per_line - 1) / per_line | 1) * per_line;
}

/// A matrix in the tiled kernels' buffers, row-major; stride is the padded_stride of its width.
/// Whatever lies in the columns beyond its width stays there: no result depends on it.
template <class T>
struct TileView {
  T* data;
  std::int64_t stride;

  operator TileView<const T>() const { return {data, stride}; }
  TileView from_row(std::int64_t row) const { return {data + row * stride, stride}; }
};

/// Pairs by the rows of their points, for one call of a loss kernel.
template <class T>
struct PairRows {
  std::int64_t count;
  const PointIndex* first;
  const PointIndex* second;
  const T* targets;
};

/// Points feature-major, [width, stride]: feature k of point j is data[k * stride + j]. stride is a
/// multiple of 64 bytes; columns beyond the last point hold finite numbers.
template <class T>
struct FeatureMajor {
  T* data;
  std::int64_t stride;
};

/// The merge's parameters [merge_parameters] and a thread's gradient by them, both padded with
/// zeros to a padded_stride of one more than the width.
template <class T>
struct Merge {
  const T* parameters = nullptr;
  T* gradient = nullptr;
};

/// What all_pairs_loss works on.
template <class T>
struct AllPairsTask {
  Loss loss;
  std::int64_t points;
  std::int64_t width;             ///< d
  std::int64_t coordinate_width;  ///< c
  FeatureMajor<const T> embeddings;
  FeatureMajor<const T> coordinates;
  const T* inverse_norms;  ///< of the embeddings, 0 for a norm of 0; read by cosine alone
  T weight;                ///< 1 / number of pairs
  Merge<T> merge;
};

/// The kernels of the tiled rung for one scalar type, as one instruction set's build has them:
/// plain loops on one thread, over what the caller has laid out. Sizes are those of the layer;
/// `rows` is any number of points, and rows up to the next tile_row_multiple are overwritten.
template <class T>
struct TiledKernels {
  /// W [inputs, outputs] -> panels that forward reads, and b with its padding.
  /// Part `part` of `parts`, so that threads can share the work.
  void (*pack)(const Layer& layer, const T* parameters, int part, int parts, T* panels, T* bias);
  /// W -> panels of its transpose, which input_gradient reads.
  void (*pack_transposed)(const Layer& layer, const T* parameters, int part, int parts, T* panels);

  /// h = act(input W + b).
  void (*forward)(const Layer& layer, std::int64_t rows, TileView<const T> input, const T* panels,
                  const T* bias, TileView<T> h);
  /// dz = dh * act'(z) in place, from h.
  void (*output_gradient)(const Layer& layer, std::int64_t rows, TileView<const T> h,
                          TileView<T> dh);
  /// h of the layer below -> dz of it, in place: (dz W^T) * act'(z_below).
  void (*input_gradient)(const Layer& layer, std::int64_t rows, TileView<const T> dz,
                         const T* transposed_panels, Activation below, TileView<T> h_to_dz);
  /// dw [inputs, padded_stride(outputs)] += input^T dz, db += column sums of dz. dw has room for
  /// inputs rounded up to tile_row_multiple rows.
  void (*weight_gradient)(const Layer& layer, std::int64_t rows, TileView<const T> input,
                          TileView<const T> dz, T* dw, T* db);

  /// Adds weight x dLoss/dE of listed pairs to g, and the merge's gradient to its; returns the sum
  /// of their costs, unweighted.
  double (*pair_loss)(const Loss& loss, std::int64_t width, PairRows<T> pairs, T weight,
                      TileView<const T> e, TileView<T> g, Merge<T> merge);
  /// The same for every pair (i, j > i), begin <= i < end; g is feature-major like the embeddings.
  double (*all_pairs_loss)(const AllPairsTask<T>& task, std::int64_t begin, std::int64_t end, T* g);
  /// Points [count, width] with a stride -> feature-major, and the inverse norms where not null.
  void (*to_feature_major)(std::int64_t count, std::int64_t width, const T* points,
                           std::int64_t stride, FeatureMajor<T> to, T* inverse_norms);

  /// One step on `count` elements.
  void (*adam)(const Adam& adam, AdamStep step, std::int64_t count, const T* gradients,
               T* parameters, T* m, T* v);
};

template <Isa isa, class T>
TiledKernels<T> tiled_kernels();

}  // namespace siamese
