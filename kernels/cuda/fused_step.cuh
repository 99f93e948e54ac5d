#pragma once

#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/fused.cuh"
#include "kernels/cuda/fused_step_plan.h"
#include "kernels/cuda/product.cuh"
#include "kernels/cuda/weight_image.cuh"

// What the fused training rungs are made of: all warps of a block take a tile of 64 rows through
// the three layers and back. Everything lies in shared memory, products' operands in bf16, but for
// the middle layer's gradient, which stays in registers over all of the block's tiles.
//
//   forward    h_l = act(h_{l-1} W_l + b_l)                    A along k, W along columns
//   backward   [dW_l; db_l] += [h_{l-1} 1]^T dz_l              both along rows of C
//              dz_{l-1} = (dz_l W_l^T) * act'(h_{l-1})         both along k; takes the place of h
//
// Lines of all matrices are an odd number of 16 bytes (bf16) or 8 or 24 words of 32 apart (float),
// so that what a warp touches at once lies in all banks.

namespace siamese::cuda::fused {

/// A matrix in shared memory.
template <class T>
struct Matrix {
  T* data;
  int pitch;

  __device__ T* at(int row, int column) const { return data + row * pitch + column; }
};
using Operand16 = Matrix<__nv_bfloat16>;

/// A walk along k over the fragments of an operand [rows, k] (along_k) or [k, rows]: this lane's
/// line of the one at hand.
template <Lies lies>
struct Walk {
  const __nv_bfloat16* line;
  int to_next;       ///< 16 of k
  int to_next_rows;  ///< 16 rows of the operand

  /// Of A's fragments, 16 rows each, from a row on.
  static __device__ Walk over_a(const Operand16& a, int row) {
    const int half = own_lane() / 16 * 8;
    return lies == Lies::along_k
               ? Walk{a.at(row + own_lane() % 16, half), 16, 16 * a.pitch}
               : Walk{a.at(half + own_lane() % 8, row + own_lane() / 8 % 2 * 8), 16 * a.pitch, 16};
  }
  /// Of B's fragments, two side by side, from a column of C on.
  static __device__ Walk over_b(const Operand16& b, int column) {
    const int half = own_lane() / 16 * 8;
    return lies == Lies::along_k
               ? Walk{b.at(column + half + own_lane() % 8, own_lane() / 8 % 2 * 8), 16,
                      16 * b.pitch}
               : Walk{b.at(own_lane() % 16, column + half), 16 * b.pitch, 16};
  }

  /// The fragments `i` times 16 rows further on.
  __device__ void read(int i, std::uint32_t (&to)[4]) const {
    mma::load_matrices<lies == Lies::along_rows>(line + i * to_next_rows, to);
  }
  __device__ void advance() { line += to_next; }
};

/// A piece of C, [16 row_tiles, 16].
template <int row_tiles>
struct Piece {
  int row;
  int column;
  float sums[row_tiles][2][4];

  /// Calls use(row, column, first, second) for each pair of neighbours in a row that this lane has.
  template <class Use>
  __device__ void for_each_pair(Use use) {
#pragma unroll
    for (int i = 0; i < row_tiles * 4; ++i) {
      float(&sum)[4] = sums[i / 4][i / 2 % 2];
      use(row + i / 4 * 16 + i % 2 * 8 + own_lane() / 4,
          column + i / 2 % 2 * 8 + own_lane() % 4 * 2, sum[i % 2 * 2], sum[i % 2 * 2 + 1]);
    }
  }

  /// sums += A B over `depth`, with A's rows from `a_row` on.
  template <Lies a_lies, Lies b_lies>
  __device__ void add_product(const Operand16& a, int a_row, const Operand16& b, int depth) {
    auto a_walk = Walk<a_lies>::over_a(a, a_row);
    auto b_walk = Walk<b_lies>::over_b(b, column);
#pragma unroll 2
    for (int k = 0; k < depth; k += product_depth, a_walk.advance(), b_walk.advance()) {
      std::uint32_t of_b[4];
      b_walk.read(0, of_b);
#pragma unroll
      for (int i = 0; i < row_tiles; ++i) {
        std::uint32_t of_a[4];
        a_walk.read(i, of_a);
        mma::multiply_add_bf16(of_a, {of_b[0], of_b[1]}, sums[i][0]);
        mma::multiply_add_bf16(of_a, {of_b[2], of_b[3]}, sums[i][1]);
      }
    }
  }
};

/// Calls use(piece) for this warp's share of the pieces of C [rows, columns], sums being zeros.
template <int row_tiles, class Use>
__device__ void for_each_piece(int rows, int columns, Use use) {
  const int across = columns / 16;
  const int count = rows / (16 * row_tiles) * across;
#pragma unroll 1
  for (int i = own_warp(); i < count; i += warps) {
    Piece<row_tiles> piece{i / across * (16 * row_tiles), i % across * 16, {}};
    use(piece);
  }
}

__device__ inline float2 load_pair(const __nv_bfloat16* from) {
  return __bfloat1622float2(*reinterpret_cast<const __nv_bfloat162*>(from));
}
__device__ inline void store_pair(__nv_bfloat16* to, float first, float second) {
  *reinterpret_cast<std::uint32_t*>(to) = mma::bf16_pair(first, second);
}

__device__ inline float2 load_pair(const float* from) {
  return *reinterpret_cast<const float2*>(from);
}
/// As one number of 64 bits, for the compiler takes some stores of a float2 apart.
__device__ inline void store_pair(float* to, float first, float second) {
  *reinterpret_cast<std::uint64_t*>(to) =
      std::uint64_t{__float_as_uint(second)} << 32 | __float_as_uint(first);
}

/// The row of a tile that this lane fills, four lanes a row.
__device__ inline int own_row() { return own_warp() * 8 + own_lane() / 4; }

/// to [step_rows, columns]: of this lane's own row the pairs of neighbours pair(column), up to
/// `batch` of them under way together, in registers.
template <int batch, class Pair>
__device__ void fill(const Operand16& to, int columns, Pair pair) {
  static_assert(step_rows == warps * 8);
  const auto column_of = [](int i) { return i * 8 + own_lane() % 4 * 2; };
  in_batches<batch>(
      0, 1, columns / 8, [&](int i) { return pair(column_of(i)); },
      [&](int i, float2 value) { store_pair(to.at(own_row(), column_of(i)), value.x, value.y); });
}

/// [dW; db] of the middle layer, its first 192 rows, summed over all tiles of a block: a warp has
/// 48 x 104 of it.
class MiddleGradient {
 public:
  /// += [h 1]^T dz over a tile's rows. The 8 columns of padding beyond dz's may be read.
  __device__ void add(const Operand16& h, const Operand16& dz, int rows, int columns) {
    auto a_walk = Walk<Lies::along_rows>::over_a(h, row());
    auto b_walk = Walk<Lies::along_rows>::over_b(dz, column());
#pragma unroll 1
    for (int k = 0; k < step_rows; k += product_depth, a_walk.advance(), b_walk.advance()) {
      std::uint32_t a[middle_row_tiles][4];
#pragma unroll
      for (int i = 0; i < middle_row_tiles; ++i) {
        if (row() + i * 16 < rows) a_walk.read(i, a[i]);
      }
      const auto multiply = [&](int j, const std::uint32_t(&b)[2]) {
#pragma unroll
        for (int i = 0; i < middle_row_tiles; ++i) {
          if (row() + i * 16 < rows) mma::multiply_add_bf16(a[i], b, sums_[i][j]);
        }
      };
#pragma unroll
      for (int j = 0; j + 1 < middle_column_tiles; j += 2) {
        if (column() + j * 8 >= columns) break;
        std::uint32_t b[4];
        b_walk.read(j / 2, b);
        multiply(j, {b[0], b[1]});
        multiply(j + 1, {b[2], b[3]});
      }
      if (const int last = column() + (middle_column_tiles - 1) * 8; last < columns) {
        std::uint32_t b[2];
        mma::load_matrices<true>(dz.at(k + own_lane() % 16, last), b);
        multiply(middle_column_tiles - 1, b);
      }
    }
  }

  /// To a matrix in global memory, as much of it as exists.
  __device__ void store(float* gradient, int rows, int columns) const {
    const bool aligned = holds_pairs(gradient, columns);
#pragma unroll
    for (int i = 0; i < 2 * middle_row_tiles; ++i) {
      const int r = row() + i * 8 + own_lane() / 4;
      if (r >= rows) break;
#pragma unroll
      for (int j = 0; j < middle_column_tiles; ++j) {
        const float(&sum)[4] = sums_[i / 2][j];
        fused::store_pair(gradient + r * columns, column() + j * 8 + own_lane() % 4 * 2, columns,
                          aligned, {sum[i % 2 * 2], sum[i % 2 * 2 + 1]});
      }
    }
  }

 private:
  static_assert(middle_column_tiles % 2 == 1);
  static __device__ int row() { return own_warp() % 4 * (middle_row_tiles * 16); }
  static __device__ int column() { return own_warp() / 4 * (middle_column_tiles * 8); }

  float sums_[middle_row_tiles][middle_column_tiles][4] = {};
};

/// A block's shared memory, as planned, and what its warps do in there together. No call begins or
/// ends with a barrier.
class Step {
 public:
  __device__ Step(const FusedStepPlan& plan, unsigned char* shared)
      : plan_(plan), shared_(shared) {}

  __device__ const FusedLayer& layer(int l) const { return plan_.layer[l]; }
  /// x, h_1, h_2 and dz_3, of a tile; dz_1 and dz_2 take the places of h_1 and h_2.
  __device__ Operand16 rows(int l) const {
    return {reinterpret_cast<__nv_bfloat16*>(shared_ + plan_.rows[l]), plan_.pitch(l)};
  }
  /// E of a tile.
  __device__ Matrix<float> embeddings() const {
    return {reinterpret_cast<float*>(shared_ + plan_.embeddings), layer(step_layers - 1).pitch};
  }

  /// Zeros everywhere: the gradients' beginning, and the padding.
  __device__ void clear() const {
    auto* const words = reinterpret_cast<uint4*>(shared_);
    for (int i = static_cast<int>(threadIdx.x); i < plan_.shared_bytes / 16; i += threads) {
      words[i] = {};
    }
  }

  /// W and b of all layers, from their image in global memory.
  __device__ void load_weights(const unsigned char* image) const {
    copy_image(image, plan_.rows[0], shared_);
  }

  /// x, h_1 or h_2 from memory, a column of ones behind it. row_of(row) is where a row of the tile
  /// begins, or null where it does not exist.
  template <int batch, class RowOf>
  __device__ void load_rows(int l, RowOf row_of) const {
    const int width = layer(l).inputs;
    const float* const from = row_of(own_row());
    fill<batch>(rows(l), layer(l).depth, [&](int column) {
      const auto element = [&](int c) {
        if (c >= width) return c == width ? 1.0F : 0.0F;
        return from == nullptr ? 0.0F : from[c];
      };
      return float2{element(column), element(column + 1)};
    });
  }

  /// h_l from h_{l-1}, l = 1 or 2, with its column of ones.
  __device__ void forward_hidden(int l) const {
    const FusedLayer& of = layer(l - 1);
    const Operand16 to = rows(l);
    multiply_weights(l, [&](int row, int column, const float(&h)[2]) {
      const auto element = [&](int c, float value) {
        return c < of.outputs ? value : c == of.outputs ? 1.0F : 0.0F;
      };
      store_pair(to.at(row, column), element(column, h[0]), element(column + 1, h[1]));
    });
  }

  /// E from h_2.
  __device__ void forward_embeddings() const {
    const Matrix<float> to = embeddings();
    multiply_weights(step_layers, [&](int row, int column, const float(&h)[2]) {
      store_pair(to.at(row, column), h[0], h[1]);
    });
  }

  /// dz_l from dz_{l+1}, in the place of h_l, l = 2 or 1. Zeros of W keep the padding zero.
  __device__ void backward_rows(int l) const {
    const FusedLayer& above = layer(l);
    const Activation below = layer(l - 1).activation;
    const Operand16 h = rows(l);
    for_each_piece<stripe_tiles>(step_rows, above.depth, [&](auto& piece) {
      piece.template add_product<Lies::along_k, Lies::along_k>(rows(l + 1), piece.row,
                                                               weights(above), above.columns);
      with_activation(below, [&](auto activation) {
        piece.for_each_pair([&](int row, int column, float first, float second) {
          __nv_bfloat16* const at = h.at(row, column);
          const float2 was = load_pair(at);
          store_pair(at, first * activation_derivative(activation.value, was.x),
                     second * activation_derivative(activation.value, was.y));
        });
      });
    });
  }

  /// [dW_l; db_l] += [h_{l-1} 1]^T dz_l: what of it lies in shared memory. Each of its elements is
  /// one warp's alone.
  __device__ void add_gradient(int l) const {
    const FusedLayer& of = layer(l - 1);
    const int held = plan_.held[l - 1];
    const Matrix<float> gradient = gradient_of(l);
    for_each_piece<1>(of.depth - held, of.columns, [&](auto& piece) {
      piece.for_each_pair([&](int row, int column, float& first, float& second) {
        const float2 sums = load_pair(gradient.at(row, column));
        first = sums.x;
        second = sums.y;
      });
      piece.template add_product<Lies::along_rows, Lies::along_rows>(rows(l - 1), held + piece.row,
                                                                     rows(l), step_rows);
      piece.for_each_pair([&](int row, int column, float first, float second) {
        store_pair(gradient.at(row, column), first, second);
      });
    });
  }

  /// The whole way back from dz_3; the gradients are added to those of the tiles before.
  __device__ void backward(MiddleGradient& middle) const {
    add_gradient(3);
    __syncthreads();  // h_2 has been read
    backward_rows(2);
    __syncthreads();
    middle.add(rows(1), rows(2), layer(1).depth, layer(1).columns);
    add_gradient(2);
    __syncthreads();  // h_1 has been read
    backward_rows(1);
    __syncthreads();
    add_gradient(1);
  }

  /// All gradients to a buffer as flat as the parameters'.
  __device__ void store_gradients(const MiddleGradient& middle, float* gradients) const {
    middle.store(gradients + layer(1).parameters, layer(1).inputs + 1, layer(1).outputs);
    for (int l = 1; l <= step_layers; ++l) {
      const FusedLayer& of = layer(l - 1);
      const int held = plan_.held[l - 1];
      const Matrix<float> gradient = gradient_of(l);
      for (int row = own_warp(); row < of.inputs + 1 - held; row += warps) {
        float* const to = gradients + of.parameters + (held + row) * of.outputs;
        for (int c = own_lane(); c < of.outputs; c += warp_size) to[c] = *gradient.at(row, c);
      }
    }
  }

 private:
  static constexpr int stripe_tiles = 2;  // 16 rows each, that share a fragment of W

  __device__ Operand16 weights(const FusedLayer& of) const {
    return {reinterpret_cast<__nv_bfloat16*>(shared_ + of.weights), of.pitch};
  }
  __device__ Matrix<float> gradient_of(int l) const {
    return {reinterpret_cast<float*>(shared_ + plan_.gradient[l - 1]), layer(l - 1).pitch};
  }

  /// Calls finish(row, column, h[2]) for pairs of neighbours of act(h_{l-1} W_l + b_l).
  template <class Finish>
  __device__ void multiply_weights(int l, Finish finish) const {
    const FusedLayer& of = layer(l - 1);
    const auto* const bias = reinterpret_cast<const float*>(shared_ + of.bias);
    for_each_piece<stripe_tiles>(step_rows, of.columns, [&](auto& piece) {
      piece.template add_product<Lies::along_k, Lies::along_rows>(rows(l - 1), piece.row,
                                                                  weights(of), of.depth);
      with_activation(of.activation, [&](auto activation) {
        piece.for_each_pair([&](int row, int column, float first, float second) {
          finish(row, column,
                 {activate(activation.value, first + bias[column]),
                  activate(activation.value, second + bias[column + 1])});
        });
      });
    });
  }

  const FusedStepPlan& plan_;
  unsigned char* shared_;
};

}  // namespace siamese::cuda::fused
