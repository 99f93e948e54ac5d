#pragma once

#include <algorithm>

#include "kernels/cuda/adam.cuh"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/panel.h"

// The products of a small network by the threads of a team (team.cuh), on padded panels (panel.h).
// A thread computes a tile of panel_row_tile x one pack of elements, or one pack squared, and reads
// 16 bytes at a time: one operand is the same for the lanes of a warp, a broadcast, the other lies
// in different banks, so that four reads feed sixteen multiply-adds. What lies in the padding must
// be finite; where a sum runs over padding, it must be 0 in both factors.
namespace siamese::cuda {

template <class T>
__device__ T* row_of(const Panel<T>& panel, int row) {
  return panel.data + row * panel.stride;
}

/// Lanes that share the work on a tile along the sum, a power of two: where a product has fewer
/// tiles than the team has threads, the sum is what takes its time.
template <class Team>
__device__ int lanes_of_tile(const Team& team, int tiles) {
  constexpr int most = 8;
  int lanes = 1;
  while (lanes < most && tiles * lanes * 2 <= team.size()) lanes *= 2;
  return lanes;
}

/// Calls use(tile, lane, lanes) with tile < tiles: `lanes` neighbours in a warp take a tile. All
/// threads call it equally often, so that they can add up among themselves; where there is no tile
/// left, `tile` is one that does not count.
template <class Team, class Use>
__device__ void each_tile(const Team& team, int tiles, Use use) {
  const int lanes = lanes_of_tile(team, tiles);
  for (int first = 0; first < tiles * lanes; first += team.size()) {
    const int unit = first + team.rank();
    use(unit / lanes, unit % lanes, lanes);
  }
}

/// Sums of a tile over the lanes that share it, in each of them.
template <class T, int rows, int columns>
__device__ void add_up(T (&sums)[rows][columns], int lanes) {
  for (int offset = 1; offset < lanes; offset *= 2) {
#pragma unroll
    for (int i = 0; i < rows; ++i) {
#pragma unroll
      for (int c = 0; c < columns; ++c) {
        sums[i][c] += __shfl_xor_sync(full_warp, sums[i][c], offset);
      }
    }
  }
}

/// use(r, c, sum_k a[r, k] b[k, c]) for r < rows, c < columns, k < depth.
template <class Team, class T, class Use>
__device__ void multiply(const Team& team, int rows, int depth, int columns, const Panel<T>& a,
                         const Panel<T>& b, Use use) {
  constexpr int width = pack_elements<T>;
  const int column_tiles = (columns + width - 1) / width;
  const int tiles = (rows + panel_row_tile - 1) / panel_row_tile * column_tiles;
  each_tile(team, tiles, [&](int tile, int lane, int lanes) {
    const int row = tile / column_tiles * panel_row_tile;
    const int column = tile % column_tiles * width;
    T sums[panel_row_tile][width] = {};
    for (int k = lane * width; tile < tiles && k < depth; k += lanes * width) {
      Pack<T> factors[width];
#pragma unroll
      for (int j = 0; j < width; ++j) factors[j] = load_pack(row_of(b, k + j) + column);
#pragma unroll
      for (int i = 0; i < panel_row_tile; ++i) {
        const Pack<T> factor = load_pack(row_of(a, row + i) + k);
#pragma unroll
        for (int j = 0; j < width; ++j) {
#pragma unroll
          for (int c = 0; c < width; ++c) {
            sums[i][c] += factor.elements[j] * factors[j].elements[c];
          }
        }
      }
    }
    add_up(sums, lanes);
#pragma unroll
    for (int i = 0; i < panel_row_tile; ++i) {
      if (i % lanes != lane || row + i >= rows) continue;
#pragma unroll
      for (int c = 0; c < width; ++c) {
        if (column + c < columns) use(row + i, column + c, sums[i][c]);
      }
    }
  });
}

/// use(r, k, sum_c a[r, c] b[k, c]) for r < rows, k < columns, c < depth. A thread's columns lie a
/// quarter of all apart, so that neighbouring threads read neighbouring rows of b.
template <class Team, class T, class Use>
__device__ void multiply_transposed(const Team& team, int rows, int depth, int columns,
                                    const Panel<T>& a, const Panel<T>& b, Use use) {
  constexpr int width = pack_elements<T>;
  const int column_tiles = (columns + width - 1) / width;
  const int tiles = (rows + panel_row_tile - 1) / panel_row_tile * column_tiles;
  each_tile(team, tiles, [&](int tile, int lane, int lanes) {
    const int row = tile / column_tiles * panel_row_tile;
    const int column = tile % column_tiles;
    T sums[panel_row_tile][width] = {};
    for (int c = lane * width; tile < tiles && c < depth; c += lanes * width) {
      Pack<T> factors[width];
#pragma unroll
      for (int j = 0; j < width; ++j) {
        factors[j] = load_pack(row_of(b, column + j * column_tiles) + c);
      }
#pragma unroll
      for (int i = 0; i < panel_row_tile; ++i) {
        const Pack<T> factor = load_pack(row_of(a, row + i) + c);
#pragma unroll
        for (int j = 0; j < width; ++j) {
#pragma unroll
          for (int e = 0; e < width; ++e) {
            sums[i][j] += factor.elements[e] * factors[j].elements[e];
          }
        }
      }
    }
    add_up(sums, lanes);
#pragma unroll
    for (int i = 0; i < panel_row_tile; ++i) {
      if (i % lanes != lane || row + i >= rows) continue;
#pragma unroll
      for (int j = 0; j < width; ++j) {
        const int k = column + j * column_tiles;
        if (k < columns) use(row + i, k, sums[i][j]);
      }
    }
  });
}

/// A weight matrix in training: W and its moments [inputs, outputs].
template <class T>
struct TrainedPanel {
  Panel<T> weights;
  Panel<T> m;
  Panel<T> v;
};

/// The step of Adam for the gradient sum_r a[r, k] b[r, c], k < inputs, c < outputs. The gradient
/// stays in registers; a tile's moments are all asked for before the first is used.
template <class Team, class T>
__device__ void update_weights(const Team& team, int rows, int inputs, int outputs,
                               const Panel<T>& a, const Panel<T>& b, const AdamConstants<T>& adam,
                               const TrainedPanel<T>& trained) {
  constexpr int width = pack_elements<T>;
  const int column_tiles = (outputs + width - 1) / width;
  const int tiles = (inputs + width - 1) / width * column_tiles;
  each_tile(team, tiles, [&](int tile, int lane, int lanes) {
    const int row = tile / column_tiles * width;
    const int column = tile % column_tiles * width;
    const auto own = [&](int i) { return i % lanes == lane && row + i < inputs; };
    T m[width][width];
    T v[width][width];
#pragma unroll
    for (int i = 0; i < width; ++i) {
#pragma unroll
      for (int c = 0; c < width; ++c) {
        const bool exists = own(i) && column + c < outputs;
        m[i][c] = exists ? row_of(trained.m, row + i)[column + c] : T(0);
        v[i][c] = exists ? row_of(trained.v, row + i)[column + c] : T(0);
      }
    }
    T sums[width][width] = {};
    for (int r = lane; tile < tiles && r < rows; r += lanes) {
      const Pack<T> factor = load_pack(row_of(a, r) + row);
      const Pack<T> other = load_pack(row_of(b, r) + column);
#pragma unroll
      for (int i = 0; i < width; ++i) {
#pragma unroll
        for (int c = 0; c < width; ++c) sums[i][c] += factor.elements[i] * other.elements[c];
      }
    }
    add_up(sums, lanes);
#pragma unroll
    for (int i = 0; i < width; ++i) {
#pragma unroll
      for (int c = 0; c < width; ++c) {
        if (!own(i) || column + c >= outputs) continue;
        adam.update(sums[i][c], row_of(trained.weights, row + i)[column + c], m[i][c], v[i][c]);
        row_of(trained.m, row + i)[column + c] = m[i][c];
        row_of(trained.v, row + i)[column + c] = v[i][c];
      }
    }
  });
}

}  // namespace siamese::cuda
