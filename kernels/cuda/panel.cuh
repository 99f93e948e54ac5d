#pragma once

#include <algorithm>

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/panel.h"

// The products of a small network by the threads of a team (team.cuh), on padded panels (panel.h).
// A thread computes a tile of panel_row_tile x one pack of elements, or one pack squared, and reads
// 16 bytes at a time: one operand is the same for neighbouring threads, a broadcast, the other lies
// in different banks, so that four reads feed sixteen multiply-adds. What lies in the padding must
// be finite; where a sum runs over padding, it must be 0 in both factors.
namespace siamese::cuda {

template <class T>
__device__ T* row_of(const Panel<T>& panel, int row) {
  return panel.data + row * panel.stride;
}

/// Lanes that share the work on a tile along the sum, a power of two, as its logarithm: where a
/// product has fewer tiles than the team has threads, the sum is what takes its time.
inline constexpr int most_lanes_of_tile = 8;
template <class Team>
__device__ int log_lanes_of_tile(const Team& team, int tiles) {
  int log = 0;
  while ((1 << log) < most_lanes_of_tile && (tiles << (log + 1)) <= team.size()) ++log;
  return log;
}

/// A thread's part of a tile: lane `lane` of `lanes`.
struct TilePart {
  int row;     ///< of tiles; past the last where there is no tile left
  int column;  ///< of tiles
  int lane;
  int lanes;
};

/// Calls use(TilePart) for this thread's part of each tile of rows x columns. All threads call it
/// equally often, so that they can add up among themselves.
///
/// Eight neighbouring threads, whose packs one pass of shared memory serves, are the same lane of
/// neighbouring tiles (with eight lanes, two of four tiles). Every other row of tiles goes
/// backwards: where eight tiles reach around its end they have columns twice, a broadcast, and not
/// those of both ends, which may share a bank.
template <class Team, class Use>
__device__ void each_tile(const Team& team, int rows, int columns, Use use) {
  const int log_lanes = log_lanes_of_tile(team, rows * columns);
  const int tiles_a_warp = warp_size >> log_lanes;
  for (int first = 0; first < (rows * columns) << log_lanes; first += team.size()) {
    const int unit = first + team.rank();
    const int tile = unit / warp_size * tiles_a_warp + (unit & (tiles_a_warp - 1));
    const int lane = (unit % warp_size << log_lanes) / warp_size;
    const int row = tile / columns;
    const int column = tile % columns;
    use(TilePart{row, row % 2 == 0 ? column : columns - 1 - column, lane, 1 << log_lanes});
  }
}

/// Sums over the lanes that share a tile. Of its elements, lane l is left with each e for which
/// e % lanes == l, at sums[e / lanes].
template <class T, int count>
__device__ void add_up(T (&sums)[count], const TilePart& part) {
  const int neighbour = warp_size / part.lanes;
#pragma unroll
  for (int step = 1; step < most_lanes_of_tile; step *= 2) {
    if (step >= part.lanes) break;
    const int left = count / (2 * step);
    const bool odd = (part.lane & step) != 0;
#pragma unroll
    for (int j = 0; j < left; ++j) {
      const T given = odd ? sums[2 * j] : sums[2 * j + 1];
      const T kept = odd ? sums[2 * j + 1] : sums[2 * j];
      sums[j] = kept + __shfl_xor_sync(full_warp, given, step * neighbour);
    }
  }
}

/// Calls use(j, e) for the elements of `count` that add_up leaves to a lane: element e, at j.
template <int count, class Use>
__device__ void each_own(const TilePart& part, Use use) {
#pragma unroll
  for (int j = 0; j < count; ++j) {
    const int e = j * part.lanes + part.lane;
    if (e >= count) break;
    use(j, e);
  }
}

/// Sums of a tile over the lanes that share it, in each of them.
template <class T, int count>
__device__ void give_all(T (&sums)[count], const TilePart& part) {
  for (int offset = warp_size / part.lanes; offset < warp_size; offset *= 2) {
#pragma unroll
    for (int e = 0; e < count; ++e) sums[e] += __shfl_xor_sync(full_warp, sums[e], offset);
  }
}

/// Which side of b a product sums along.
enum class Along {
  rows,    ///< sum_k a[r, k] b[k, c]
  columns  ///< sum_k a[r, k] b[c, k]
};

/// use(r, c, the sum over k < depth) for r < rows, c < columns. Where sums go along b's columns, a
/// thread's columns of the product lie a quarter of all apart, so that neighbouring threads read
/// neighbouring rows of b.
template <Along along, class Team, class T, class Use>
__device__ void multiply_along(const Team& team, int rows, int depth, int columns,
                               const Panel<T>& a, const Panel<T>& b, Use use) {
  constexpr int width = pack_elements<T>;
  constexpr int count = panel_row_tile * width;
  constexpr bool across = along == Along::columns;
  const int row_tiles = (rows + panel_row_tile - 1) / panel_row_tile;
  const int column_tiles = (columns + width - 1) / width;
  each_tile(team, row_tiles, column_tiles, [&](const TilePart& part) {
    const int row = part.row * panel_row_tile;
    const auto column = [&](int j) {
      return across ? part.column + j * column_tiles : part.column * width + j;
    };
    T sums[count] = {};
    for (int k = part.lane * width; row < rows && k < depth; k += part.lanes * width) {
      Pack<T> factors[width];
#pragma unroll
      for (int j = 0; j < width; ++j) {
        factors[j] = load_pack(across ? row_of(b, column(j)) + k : row_of(b, k + j) + column(0));
      }
#pragma unroll
      for (int i = 0; i < panel_row_tile; ++i) {
        const Pack<T> factor = load_pack(row_of(a, row + i) + k);
#pragma unroll
        for (int j = 0; j < width; ++j) {
#pragma unroll
          for (int e = 0; e < width; ++e) {
            sums[i * width + (across ? j : e)] +=
                factor.elements[across ? e : j] * factors[j].elements[e];
          }
        }
      }
    }
    add_up(sums, part);
    each_own<count>(part, [&](int j, int e) {
      const int r = row + e / width;
      const int c = column(e % width);
      if (r < rows && c < columns) use(r, c, sums[j]);
    });
  });
}

/// use(r, c, sum_k a[r, k] b[k, c]) for r < rows, c < columns, k < depth.
template <class Team, class T, class Use>
__device__ void multiply(const Team& team, int rows, int depth, int columns, const Panel<T>& a,
                         const Panel<T>& b, Use use) {
  multiply_along<Along::rows>(team, rows, depth, columns, a, b, use);
}

/// use(r, k, sum_c a[r, c] b[k, c]) for r < rows, k < columns, c < depth.
template <class Team, class T, class Use>
__device__ void multiply_transposed(const Team& team, int rows, int depth, int columns,
                                    const Panel<T>& a, const Panel<T>& b, Use use) {
  multiply_along<Along::columns>(team, rows, depth, columns, a, b, use);
}

/// A weight matrix in training: W, padded, and its moments [inputs, outputs].
template <class T>
struct TrainedPanel {
  Panel<T> weights;
  Panel<T> m;
  Panel<T> v;
};

/// Whether all rows begin at whole packs, as those of a padded panel do.
template <class T>
__device__ bool in_packs(const Panel<T>& panel) {
  return panel.stride % pack_elements<T> == 0 && holds_packs(panel.data);
}

/// The step of Adam for the gradient sum_r a[r, k] b[r, c], k < inputs, c < outputs. The gradient
/// stays in registers; a tile's moments are all asked for before the first is used. Rows move by
/// packs where they are such.
template <class Team, class T>
__device__ void update_weights(const Team& team, int rows, int inputs, int outputs,
                               const Panel<T>& a, const Panel<T>& b, const AdamConstants<T>& adam,
                               const TrainedPanel<T>& trained) {
  constexpr int width = pack_elements<T>;
  constexpr int count = width * width;
  const int row_tiles = (inputs + width - 1) / width;
  const int column_tiles = (outputs + width - 1) / width;
  const bool packs = in_packs(trained.m) && in_packs(trained.v);
  each_tile(team, row_tiles, column_tiles, [&](const TilePart& part) {
    const int row = part.row * width;
    const int column = part.column * width;
    const int columns_left = outputs - column;
    const auto add_products = [&](T(&sums)[count]) {
      for (int r = part.lane; row < inputs && r < rows; r += part.lanes) {
        const Pack<T> factor = load_pack(row_of(a, r) + row);
        const Pack<T> other = load_pack(row_of(b, r) + column);
#pragma unroll
        for (int i = 0; i < width; ++i) {
#pragma unroll
          for (int c = 0; c < width; ++c) {
            sums[i * width + c] += factor.elements[i] * other.elements[c];
          }
        }
      }
    };
    const auto own = [&](int i) { return (i & (part.lanes - 1)) == part.lane && row + i < inputs; };
    Pack<T> m[width];
    Pack<T> v[width];
#pragma unroll
    for (int i = 0; i < width; ++i) {
      m[i] = {};
      v[i] = {};
      const T* const from_m = row_of(trained.m, row + i) + column;
      const T* const from_v = row_of(trained.v, row + i) + column;
      if (!own(i)) continue;
      if (packs) {
        m[i] = load_pack(from_m);
        v[i] = load_pack(from_v);
        continue;
      }
#pragma unroll
      for (int c = 0; c < width; ++c) {
        if (c >= columns_left) break;
        m[i].elements[c] = from_m[c];
        v[i].elements[c] = from_v[c];
      }
    }
    T sums[count] = {};
    add_products(sums);
    give_all(sums, part);
#pragma unroll
    for (int i = 0; i < width; ++i) {
      if (!own(i)) continue;
      T* const to_w = row_of(trained.weights, row + i) + column;
      T* const to_m = row_of(trained.m, row + i) + column;
      T* const to_v = row_of(trained.v, row + i) + column;
      if (packs) {
        Pack<T> w = load_pack(to_w);
#pragma unroll
        for (int c = 0; c < width; ++c) {
          if (c >= columns_left) break;
          adam.update(sums[i * width + c], w.elements[c], m[i].elements[c], v[i].elements[c]);
        }
        store_pack(to_w, w);
        store_pack(to_m, m[i]);
        store_pack(to_v, v[i]);
        continue;
      }
#pragma unroll
      for (int c = 0; c < width; ++c) {
        if (c >= columns_left) break;
        adam.update(sums[i * width + c], to_w[c], m[i].elements[c], v[i].elements[c]);
        to_m[c] = m[i].elements[c];
        to_v[c] = v[i].elements[c];
      }
    }
  });
}

}  // namespace siamese::cuda
