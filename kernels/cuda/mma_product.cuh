#pragma once

#include <cuda_bf16.h>
#include <cuda_pipeline_primitives.h>

#include <cstdint>
#include <type_traits>

#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/mma.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/product.cuh"
#include "kernels/cuda/tiled_plan.h"
#include "kernels/multiples.h"

// The product (product.cuh) of the mma rungs, on tensor cores, with float32 sums. A block computes
// a tile of C, of 128 rows by 4 warps or of 32 by 2; a warp has 32 or 16 whole rows of it in
// registers. Slices of A and B, 16 deep, pass through two buffers in shared memory: while one is at
// work, the next slice comes in.
//   bf16           rounded on the way, through registers, so that a slice takes half the room
//   tf32, tf32x3   copied as float32 by cp.async, past the registers; rounded when multiplied
// A slice lies in shared memory as in global memory, k or rows contiguous. The pitch between its
// lines is such that what 8 lanes read or write at once, 16 bytes each, lies in all 32 banks:
//   along k       [rows][16 + 16 bytes]: an odd number of 16 bytes
//   along rows    [16][rows, or rows + 8]: an odd number of 8 elements
// Rows, columns and k beyond the operands are zeros in shared memory, and are not stored.
//
// The tiled rungs below feed every multiply-add from registers that hold one element each: for a
// 128 x 40 tile a warp loads 13 values from shared memory for 40 instructions of 32 multiply-adds.
// Here one instruction takes 2,048 (bf16) or 1,024 (tf32) of them.

namespace siamese::cuda {
namespace mma {

inline constexpr int slice_depth = 16;
inline constexpr int pack = Pack<float>::size;

/// What a slice's elements are in shared memory.
template <Precision precision>
using Element = std::conditional_t<precision == Precision::bf16, __nv_bfloat16, float>;

/// One operand's slice in shared memory, and its way there. A block has two of them, and its
/// threads a Stage each.
template <Precision precision, Lies lies, int extent>
struct Slice {
  using Scalar = Element<precision>;
  static constexpr int line = lies == Lies::along_k ? slice_depth : extent;
  static constexpr int lines = lies == Lies::along_k ? extent : slice_depth;
  static constexpr int odd_eights = extent / 8 % 2 == 1 ? extent : extent + 8;
  static constexpr int pitch =
      lies == Lies::along_k ? slice_depth + 16 / int{sizeof(Scalar)} : odd_eights;

  static __device__ int offset(int row, int k) {
    return lies == Lies::along_k ? row * pitch + k : k * pitch + row;
  }

  alignas(16) Scalar elements[lines * pitch];
};

/// A thread's share of an operand's slices on their way to shared memory, slice after slice.
template <Precision precision, Lies lies, int extent, int threads>
class Stage {
 public:
  using Elements = Slice<precision, lies, extent>;

  __device__ Stage(const Operand& operand, std::int64_t first_row, std::int64_t first_k)
      : step_(lies == Lies::along_k ? slice_depth : slice_depth * operand.stride),
        apart_(lies == Lies::along_k ? rows_apart * operand.stride : rows_apart),
        packs_(operand.packs),
        row_of_ones_(operand.row_of_ones),
        whole_rows_(operand.rows % pack == 0 && !operand.row_of_ones) {
    const Place place = place_of(0);
    const std::int64_t row = first_row + place.row;
    const std::int64_t k = first_k + place.k;
    from_ = operand.data +
            (lies == Lies::along_k ? row * operand.stride + k : k * operand.stride + row);
    const std::int64_t left = operand.rows - row;
    rows_left_ = static_cast<int>(left < -extent ? -extent : left > 2 * extent ? 2 * extent : left);
  }

  /// Sets out with the next slice, of which `depth` values of k exist. Whole packs first, without
  /// a branch among them that a load would have to end for; then what lies at an edge.
  __device__ void begin(Elements& to, int depth) {
    const bool edges = !packs_ || (lies == Lies::along_k ? depth % pack != 0 : !whole_rows_);
    const auto each_place = [&](auto use) {
#pragma unroll
      for (int i = 0; i < packs_a_thread; ++i) {
        const Place place = place_of(i);
        if (place.exists) use(i, &to.elements[Elements::offset(place.row, place.k)]);
      }
    };
    each_place([&](int i, auto* at) {
      const bool there = whole(i, depth);
      if constexpr (precision == Precision::bf16) {
        held_[i] = load_pack_if(there, from(i));
      } else if (there || !edges) {
        __pipeline_memcpy_async(at, from(i), sizeof(Pack<float>), there ? 0 : sizeof(Pack<float>));
      }
    });
    if (edges) {
      each_place([&](int i, auto* at) {
        if (whole(i, depth)) return;
        if constexpr (precision == Precision::bf16) {
          held_[i] = fetch_edge(i, depth);
        } else {
          copy_edge(at, i, depth);
        }
      });
    }
    from_ += step_;
  }

  /// After it and a barrier the slice is there.
  __device__ void end(Elements& to) {
    if constexpr (precision == Precision::bf16) {
#pragma unroll
      for (int i = 0; i < packs_a_thread; ++i) {
        const Place place = place_of(i);
        if (!place.exists) continue;
        const float(&e)[pack] = held_[i].elements;
        const std::uint64_t four =
            std::uint64_t{bf16_pair(e[2], e[3])} << 32 | bf16_pair(e[0], e[1]);
        *reinterpret_cast<std::uint64_t*>(&to.elements[Elements::offset(place.row, place.k)]) =
            four;
      }
    } else {
      __pipeline_commit();
      __pipeline_wait_prior(0);
    }
  }

 private:
  struct Place {
    int row;
    int k;
    bool exists;
  };

  // 16 lanes take 8 lines of 2 packs: whole sectors of global memory, and all banks of shared
  // memory. Where cp.async stores 16 bytes a lane, 8 lanes have to hit all banks: with k contiguous
  // these are 8 lines of 1 pack, else 4 lines of 2.
  static constexpr int units = extent / 8 * 2;
  static constexpr int packs_a_thread = (units * 16 + threads - 1) / threads;
  static constexpr int rows_apart = threads / 16 / 2 * 8;  // a thread's packs, at the same k
  static_assert(slice_depth == 16 && extent % 8 == 0 && threads % 32 == 0);

  __device__ const float* from(int i) const { return from_ + i * apart_; }
  __device__ int rows_left(int i) const { return rows_left_ - i * rows_apart; }

  static __device__ Place place_of(int i) {
    const int number = i * threads + static_cast<int>(threadIdx.x);
    const int unit = number / 16;
    const int lane = number % 16;
    if constexpr (lies == Lies::along_k) {
      return {unit / 2 * 8 + lane % 8, unit % 2 * 8 + lane / 8 * pack, unit < units};
    } else {
      return {unit / 2 * 8 + lane % 2 * pack, unit % 2 * 8 + lane / 2, unit < units};
    }
  }

  /// Whether all of a pack is there and can be loaded at once.
  __device__ bool whole(int i, int depth) const {
    if constexpr (lies == Lies::along_k) {
      return packs_ && rows_left(i) > 0 && place_of(i).k + pack <= depth;
    } else {
      return packs_ && rows_left(i) >= pack && place_of(i).k < depth;
    }
  }
  __device__ bool exists(int i, int e, int depth) const {
    if constexpr (lies == Lies::along_k) return rows_left(i) > 0 && place_of(i).k + e < depth;
    return e < rows_left(i) && place_of(i).k < depth;
  }
  /// What is in the place of an element that does not exist.
  __device__ float beyond(int i, int e, int depth) const {
    if constexpr (lies == Lies::along_k) return 0.0F;
    return row_of_ones_ && e == rows_left(i) && place_of(i).k < depth ? 1.0F : 0.0F;
  }

  __device__ Pack<float> fetch_edge(int i, int depth) const {
    Pack<float> edge;
#pragma unroll
    for (int e = 0; e < pack; ++e) {
      edge.elements[e] = exists(i, e, depth) ? from(i)[e] : beyond(i, e, depth);
    }
    return edge;
  }

  __device__ void copy_edge(float* to, int i, int depth) const {
    // 8 lanes at a time begin one element further on, so that a warp's stores lie in all banks.
    // Unrolled, this rare path would take the registers of the sums.
    const int first = own_lane() / 8;
#pragma unroll 1
    for (int turn = 0; turn < pack; ++turn) {
      const int e = (first + turn) % pack;
      if (exists(i, e, depth)) {
        __pipeline_memcpy_async(to + e, from(i) + e, sizeof(float));
      } else {
        to[e] = beyond(i, e, depth);
      }
    }
  }

  const float* from_;   ///< the thread's first pack of the next slice
  int rows_left_;       ///< from that pack's first row on
  std::int64_t step_;   ///< from slice to slice
  std::int64_t apart_;  ///< from pack to pack
  bool packs_;
  bool row_of_ones_;
  bool whole_rows_;  ///< all rows are in whole packs
  Pack<float> held_[precision == Precision::bf16 ? packs_a_thread : 1];
};

/// Reads `count` registers of a fragment (mma.cuh) that begins at (row, k) of a slice. Their
/// matrices follow each other by rows first, as A's do, or by k first, as B's do; 4 registers of B
/// are two fragments, 8 rows apart.
template <int count, bool rows_first, Precision precision, Lies lies, int extent>
__device__ void read_matrices(const Slice<precision, lies, extent>& slice, int row, int k,
                              std::uint32_t (&registers)[count]) {
  using Elements = Slice<precision, lies, extent>;
  constexpr int matrix_depth = 16 / int{sizeof(Element<precision>)};
  const int lane = own_lane();
  const auto matrix_row = [&](int i) { return row + (rows_first ? i % 2 : i / 2) * 8; };
  const auto matrix_k = [&](int i) { return k + (rows_first ? i / 2 : i % 2) * matrix_depth; };
  if constexpr (precision != Precision::bf16 && lies == Lies::along_rows) {
    // ldmatrix turns 16-bit elements only; what it would give a lane is read one by one.
#pragma unroll
    for (int i = 0; i < count; ++i) {
      registers[i] = __float_as_uint(
          slice.elements[Elements::offset(matrix_row(i) + lane / 4, matrix_k(i) + lane % 4)]);
    }
  } else {
    const int i = lane / 8 % count;
    const int line = lane % 8;
    const int offset = lies == Lies::along_k ? Elements::offset(matrix_row(i) + line, matrix_k(i))
                                             : Elements::offset(matrix_row(i), matrix_k(i) + line);
    load_matrices<lies == Lies::along_rows>(&slice.elements[offset], registers);
  }
}

constexpr int warps_of(int tile_rows) { return tile_rows == 128 ? 4 : 2; }

/// The epilogue (product.cuh) is given sums over one part of the depth. A block may take all the
/// registers that it can have: left to choose, the compiler spills for the sake of one block more.
template <Precision precision, int tile_rows, int tile_columns, Lies a_lies, Lies b_lies,
          class Epilogue>
__global__ void __launch_bounds__(warps_of(tile_rows) * warp_size, 1)
    mma_product(const Product product, const bool pairs, const std::int64_t column_tiles,
                const std::int64_t parts, const std::int64_t part_depth, const Epilogue epilogue) {
  constexpr int threads = warps_of(tile_rows) * warp_size;
  constexpr int warp_rows = tile_rows / warps_of(tile_rows);
  constexpr int row_tiles = warp_rows / 16;
  constexpr int columns_of_tiles = tile_columns / 8;
  constexpr int depth_of_mma = multiply_depth<precision>;
  __shared__ Slice<precision, a_lies, tile_rows> a_slices[2];
  __shared__ Slice<precision, b_lies, tile_columns> b_slices[2];

  const std::int64_t part = blockIdx.x % parts;
  const std::int64_t tile = blockIdx.x / parts;
  const std::int64_t first_row = tile / column_tiles * tile_rows;
  const std::int64_t first_column = tile % column_tiles * tile_columns;
  const std::int64_t k_begin = part * part_depth;
  const std::int64_t k_end =
      k_begin + part_depth < product.depth ? k_begin + part_depth : product.depth;
  const int lane = own_lane();
  const int warp_row = own_warp() * warp_rows;

  float sums[row_tiles][columns_of_tiles][4] = {};
  Stage<precision, a_lies, tile_rows, threads> a_stage(product.a, first_row, k_begin);
  Stage<precision, b_lies, tile_columns, threads> b_stage(product.b, first_column, k_begin);
  const auto begin = [&](int buffer, std::int64_t k) {
    const int depth = static_cast<int>(k_end - k < slice_depth ? k_end - k : slice_depth);
    a_stage.begin(a_slices[buffer], depth);
    b_stage.begin(b_slices[buffer], depth);
  };
  const auto end = [&](int buffer) {
    a_stage.end(a_slices[buffer]);
    b_stage.end(b_slices[buffer]);
  };

  begin(0, k_begin);
  end(0);
  __syncthreads();
  int buffer = 0;
  for (std::int64_t slice = k_begin; slice < k_end; slice += slice_depth) {
    const bool more = slice + slice_depth < k_end;
    if (more) begin(1 - buffer, slice + slice_depth);
#pragma unroll(precision == Precision::tf32x3 ? 1 : slice_depth)  // unrolled, tf32x3 spills
    for (int k = 0; k < slice_depth; k += depth_of_mma) {
      Fragment<precision, 4> a[row_tiles];
#pragma unroll
      for (int i = 0; i < row_tiles; ++i) {
        std::uint32_t read[4];
        read_matrices<4, true>(a_slices[buffer], warp_row + i * 16, k, read);
        a[i] = Fragment<precision, 4>(read);
      }
      const auto multiply_all = [&](int j, const std::uint32_t(&read)[2]) {
        const Fragment<precision, 2> b(read);
#pragma unroll
        for (int i = 0; i < row_tiles; ++i) multiply_add(a[i], b, sums[i][j]);
      };
#pragma unroll
      for (int j = 0; j + 1 < columns_of_tiles; j += 2) {
        std::uint32_t read[4];
        read_matrices<4, false>(b_slices[buffer], j * 8, k, read);
        multiply_all(j, {read[0], read[1]});
        multiply_all(j + 1, {read[2], read[3]});
      }
      if constexpr (columns_of_tiles % 2 == 1) {
        std::uint32_t read[2];
        read_matrices<2, false>(b_slices[buffer], tile_columns - 8, k, read);
        multiply_all(columns_of_tiles - 1, read);
      }
    }
    if (more) end(1 - buffer);
    __syncthreads();
    buffer = 1 - buffer;
  }

  // A lane has 2 neighbours of rows lane / 4 and lane / 4 + 8 of each 16 x 8: 4 lanes, a sector.
  // What the epilogue reads for a row's first neighbours, or second ones, is all asked for before
  // any of it is used, without branches: what lies beyond reads the last row or column, and is not
  // stored.
  const auto row_of = [&](int i) { return first_row + warp_row + i * 8 + lane / 4; };
  const auto column_of = [&](int j) { return first_column + j * 8 + lane % 4 * 2; };
#pragma unroll
  for (int half = 0; half < 4 * row_tiles; ++half) {
    const int i = half / 2;
    const std::int64_t row = min(row_of(i), product.rows - 1);
    float read[columns_of_tiles];
#pragma unroll
    for (int j = 0; j < columns_of_tiles; ++j) {
      read[j] = epilogue.read(row, min(column_of(j) + half % 2, product.columns - 1));
    }
    epilogue.with_combine([&](auto combine) {
#pragma unroll
      for (int j = 0; j < columns_of_tiles; ++j) {
        float& sum = sums[i / 2][j][i % 2 * 2 + half % 2];
        sum = combine(sum, read[j]);
      }
    });
  }
#pragma unroll
  for (int i = 0; i < 2 * row_tiles; ++i) {
    if (row_of(i) >= product.rows) break;
    float* const line = product.c + (part * product.rows + row_of(i)) * product.columns;
#pragma unroll
    for (int j = 0; j < columns_of_tiles; ++j) {
      const float(&sum)[4] = sums[i / 2][j];
      const std::int64_t column = column_of(j);
      if (column >= product.columns) break;
      if (pairs) {
        *reinterpret_cast<float2*>(line + column) = {sum[i % 2 * 2], sum[i % 2 * 2 + 1]};
      } else {
        line[column] = sum[i % 2 * 2];
        if (column + 1 < product.columns) line[column + 1] = sum[i % 2 * 2 + 1];
      }
    }
  }
}

}  // namespace mma

/// Widths up to 104 = 13 x 8, twice of which hold 200 columns with 4% of padding. Where a tile
/// reads its rows anew it costs about as much as 32 columns more.
using MmaTiles = Tiles<32, 2, 104, 64, 40, 16>;

template <Precision precision>
struct MmaProducts : MmaTiles {
  template <Lies a_lies, Lies b_lies, class Epilogue>
  static void launch(const TiledPlan& plan, const Product& product, const Epilogue& epilogue,
                     cudaStream_t stream) {
    const unsigned blocks = tile_blocks(plan.blocks(product.rows, product.columns), "a product");
    if (blocks == 0) return;
    const bool pairs = holds_pairs(product.c, product.columns);
    MmaTiles::with_tile(plan, [&](auto rows, auto columns) {
      mma::mma_product<precision, rows.value, columns.value, a_lies, b_lies>
          <<<blocks, mma::warps_of(rows.value) * warp_size, 0, stream>>>(
              product, pairs, ceil_div(product.columns, columns.value), plan.parts, plan.part_depth,
              epilogue);
      SIAMESE_CHECK_LAUNCH("mma_product");
    });
  }
};

}  // namespace siamese::cuda
