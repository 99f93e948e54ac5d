#pragma once

#include <cstdint>

#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/product.cuh"
#include "kernels/cuda/tiled_plan.h"
#include "kernels/multiples.h"

// The product (product.cuh) of the tiled rungs, in float32. A block computes a tile of C. Slices of
// A and B, 8 deep, pass through shared memory, each element fetched once a block; a thread keeps a
// patch of C in registers, so that one value read from shared memory serves several multiply-adds.
// The next slices are on their way from global memory while a slice is at work.

namespace siamese::cuda {

namespace tiled {

inline constexpr int threads = 128;
inline constexpr int thread_columns = 8;
inline constexpr int thread_rows = threads / thread_columns;
inline constexpr int slice_depth = 8;
inline constexpr int pack = Pack<float>::size;
/// Length of a slice's rows in shared memory. Where the store transposes, rows 4 apart then lie
/// half the banks apart and a warp's store hits each bank once; where it does not, slices lie
/// packed.
constexpr int pitch(Lies lies, int extent) { return lies == Lies::along_k ? extent + 4 : extent; }

/// One operand's share of a slice on its way to shared memory, [slice_depth][extent].
template <Lies lies, int extent>
class Stage {
 public:
  /// Whole packs first, without a branch among them that a load would have to end for; then what
  /// lies at an edge. A row of ones needs no load: store has it.
  __device__ void fetch(const Operand& operand, std::int64_t first_row, std::int64_t k,
                        std::int64_t k_end) {
    const bool edges =
        !operand.packs || (lies == Lies::along_k ? (k_end - k) % pack : operand.rows % pack) != 0;
    const auto each_place = [&](auto use) {
#pragma unroll
      for (int i = 0; i < packs_a_thread; ++i) {
        const Place place = place_of(i);
        if (place.exists) use(held_[i], first_row + place.row, k + place.k);
      }
    };
    each_place([&](Pack<float>& held, std::int64_t row, std::int64_t at) {
      held = load_pack_if(whole(operand, row, at, k_end), element(operand, row, at));
    });
    if (edges) {
      each_place([&](Pack<float>& held, std::int64_t row, std::int64_t at) {
        if (!whole(operand, row, at, k_end)) held = fetch_edge(operand, row, at, k_end);
      });
    }
  }

  /// The row of ones goes on past the last k, where the other operand is 0.
  __device__ void store(const Operand& operand, std::int64_t first_row,
                        float (&slice)[slice_depth][pitch(lies, extent)]) const {
#pragma unroll
    for (int i = 0; i < packs_a_thread; ++i) {
      const Place place = place_of(i);
      if (!place.exists) continue;
      if constexpr (lies == Lies::along_rows) {
        Pack<float> held = held_[i];
#pragma unroll
        for (int e = 0; e < pack; ++e) {
          if (operand.row_of_ones && first_row + place.row + e == operand.rows) {
            held.elements[e] = 1.0F;
          }
        }
        store_pack(&slice[place.k][place.row], held);
      } else {
#pragma unroll
        for (int e = 0; e < pack; ++e) slice[place.k + e][place.row] = held_[i].elements[e];
      }
    }
  }

 private:
  struct Place {
    int row;
    int k;
    bool exists;
  };

  // Along k a warp takes 16 rows of 8 elements, which are whole sectors; along rows it takes
  // neighbours.
  static constexpr int rows_a_warp = 16;
  static constexpr int warp_loads = (extent + rows_a_warp - 1) / rows_a_warp;
  static constexpr int packs =
      lies == Lies::along_k ? warp_loads * warp_size : slice_depth * extent / pack;
  static constexpr int packs_a_thread = (packs + threads - 1) / threads;
  static_assert(slice_depth == 2 * pack && extent % pack == 0);

  static __device__ Place place_of(int i) {
    const int number = i * threads + static_cast<int>(threadIdx.x);
    if constexpr (lies == Lies::along_k) {
      const int row = number / warp_size * rows_a_warp + number % rows_a_warp;
      return {row, number % warp_size / rows_a_warp * pack, row < extent};
    } else {
      const int k = number / (extent / pack);
      return {number % (extent / pack) * pack, k, k < slice_depth};
    }
  }

  static __device__ const float* element(const Operand& operand, std::int64_t row, std::int64_t k) {
    return operand.data +
           (lies == Lies::along_k ? row * operand.stride + k : k * operand.stride + row);
  }
  /// Whether all of a pack is there and can be loaded at once.
  static __device__ bool whole(const Operand& operand, std::int64_t row, std::int64_t k,
                               std::int64_t k_end) {
    if constexpr (lies == Lies::along_k) {
      return operand.packs && row < operand.rows && k + pack <= k_end;
    } else {
      return operand.packs && k < k_end && row + pack <= operand.rows;
    }
  }
  static __device__ Pack<float> fetch_edge(const Operand& operand, std::int64_t row, std::int64_t k,
                                           std::int64_t k_end) {
    Pack<float> edge;
#pragma unroll
    for (int e = 0; e < pack; ++e) {
      if constexpr (lies == Lies::along_k) {
        const bool exists = row < operand.rows && k + e < k_end;
        edge.elements[e] = exists ? element(operand, row, k)[e] : 0.0F;
      } else {
        const bool exists = k < k_end && row + e < operand.rows;
        edge.elements[e] = exists ? element(operand, row, k)[e] : 0.0F;
      }
    }
    return edge;
  }

  Pack<float> held_[packs_a_thread];
};

/// `count` neighbours of a slice's row, by packs where they fill them.
template <int count>
__device__ void read_row(const float* from, float (&to)[count]) {
  if constexpr (count % pack == 0) {
#pragma unroll
    for (int i = 0; i < count; i += pack) {
      const Pack<float> four = load_pack(from + i);
#pragma unroll
      for (int e = 0; e < pack; ++e) to[i + e] = four.elements[e];
    }
  } else {
#pragma unroll
    for (int i = 0; i < count; ++i) to[i] = from[i];
  }
}

/// The epilogue (product.cuh) is given sums over one part of the depth.
template <int tile_rows, int tile_columns, Lies a_lies, Lies b_lies, class Epilogue>
__global__ void __launch_bounds__(threads)
    tiled_product(const Product product, std::int64_t column_tiles, std::int64_t parts,
                  std::int64_t part_depth, const Epilogue epilogue) {
  // A thread's patch: neighbouring rows, and every 8th column, so that the 8 threads of a row of
  // threads read neighbouring banks and write whole sectors.
  constexpr int patch_rows = tile_rows / thread_rows;
  constexpr int patch_columns = tile_columns / thread_columns;
  __shared__ alignas(16) float a_slices[2][slice_depth][pitch(a_lies, tile_rows)];
  __shared__ alignas(16) float b_slices[2][slice_depth][pitch(b_lies, tile_columns)];

  const std::int64_t part = blockIdx.x % parts;
  const std::int64_t tile = blockIdx.x / parts;
  const std::int64_t first_row = tile / column_tiles * tile_rows;
  const std::int64_t first_column = tile % column_tiles * tile_columns;
  const std::int64_t k_begin = part * part_depth;
  const std::int64_t k_end =
      k_begin + part_depth < product.depth ? k_begin + part_depth : product.depth;
  const int thread_row = static_cast<int>(threadIdx.x) / thread_columns;
  const int thread_column = static_cast<int>(threadIdx.x) % thread_columns;

  float sums[patch_rows][patch_columns] = {};
  Stage<a_lies, tile_rows> a_stage;
  Stage<b_lies, tile_columns> b_stage;
  const auto fetch = [&](std::int64_t k) {
    a_stage.fetch(product.a, first_row, k, k_end);
    b_stage.fetch(product.b, first_column, k, k_end);
  };
  const auto store = [&](int buffer) {
    a_stage.store(product.a, first_row, a_slices[buffer]);
    b_stage.store(product.b, first_column, b_slices[buffer]);
  };

  fetch(k_begin);
  store(0);
  __syncthreads();
  int buffer = 0;
  for (std::int64_t k = k_begin; k < k_end; k += slice_depth) {
    const bool more = k + slice_depth < k_end;
    if (more) fetch(k + slice_depth);
#pragma unroll
    for (int depth = 0; depth < slice_depth; ++depth) {
      float a[patch_rows];
      float b[patch_columns];
      read_row(&a_slices[buffer][depth][thread_row * patch_rows], a);
#pragma unroll
      for (int j = 0; j < patch_columns; ++j) {
        b[j] = b_slices[buffer][depth][j * thread_columns + thread_column];
      }
#pragma unroll
      for (int i = 0; i < patch_rows; ++i) {
#pragma unroll
        for (int j = 0; j < patch_columns; ++j) sums[i][j] += a[i] * b[j];
      }
    }
    if (more) store(1 - buffer);
    __syncthreads();
    buffer = 1 - buffer;
  }

  // All that the epilogue reads is asked for before any of it is used, without branches: what lies
  // beyond reads the last row or column, and is not stored.
  const auto row_of = [&](int i) { return first_row + thread_row * patch_rows + i; };
  const auto column_of = [&](int j) { return first_column + j * thread_columns + thread_column; };
  epilogue.with_combine([&](auto combine) {
    float read[patch_rows][patch_columns];
#pragma unroll
    for (int i = 0; i < patch_rows; ++i) {
#pragma unroll
      for (int j = 0; j < patch_columns; ++j) {
        read[i][j] =
            epilogue.read(min(row_of(i), product.rows - 1), min(column_of(j), product.columns - 1));
      }
    }
#pragma unroll
    for (int i = 0; i < patch_rows; ++i) {
#pragma unroll
      for (int j = 0; j < patch_columns; ++j) sums[i][j] = combine(sums[i][j], read[i][j]);
    }
  });
#pragma unroll
  for (int i = 0; i < patch_rows; ++i) {
    if (row_of(i) >= product.rows) break;
    float* const line = product.c + (part * product.rows + row_of(i)) * product.columns;
#pragma unroll
    for (int j = 0; j < patch_columns; ++j) {
      if (column_of(j) < product.columns) line[column_of(j)] = sums[i][j];
    }
  }
}

}  // namespace tiled

struct TiledProducts : Tiles<0, 4, 64, 40, 16, 8> {
  template <Lies a_lies, Lies b_lies, class Epilogue>
  static void launch(const TiledPlan& plan, const Product& product, const Epilogue& epilogue,
                     cudaStream_t stream) {
    const unsigned blocks = tile_blocks(plan.blocks(product.rows, product.columns), "a product");
    if (blocks == 0) return;
    with_tile(plan, [&](auto rows, auto columns) {
      tiled::tiled_product<rows.value, columns.value, a_lies, b_lies>
          <<<blocks, tiled::threads, 0, stream>>>(product, ceil_div(product.columns, columns.value),
                                                  plan.parts, plan.part_depth, epilogue);
      SIAMESE_CHECK_LAUNCH("tiled_product");
    });
  }
};

}  // namespace siamese::cuda
