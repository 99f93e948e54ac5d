#pragma once

#include <cuda_pipeline_primitives.h>

#include <cstddef>
#include <cstdint>

#include "kernels/cuda/chain_plan.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/pack.cuh"

// What the chain rungs share: products of strict float32 whose left side stays in a block's shared
// memory from layer to layer, while slices of weights stream in from the L2 cache, which holds the
// whole network. A thread keeps a patch of C in registers, up to 8 x 8: 4 loads of 16 bytes for 64
// multiply-adds. Points are the fast index ("lines", [feature, pitch]), so that the loads of a
// patch's rows are packs, neighbours for neighbouring threads.

namespace siamese::cuda::chain {

/// For each element of rows `first` on, of matrices [points, width], that lies on the block's tile:
/// use(line element, element of the matrices, whether it exists). A warp takes 8 features of 4
/// points: whole sectors of global memory, all banks of shared memory. A line element is the same
/// thread's whatever the width, so calls that follow one another need no barrier between them.
template <class Use>
__device__ void for_elements(const ChainPlan& plan, std::int64_t first, std::int64_t points,
                             int width, Use use) {
  constexpr int features = 8;
  const int thread = static_cast<int>(threadIdx.x);
  for (int row = thread / features; row < plan.rows; row += chain_threads / features) {
    const bool exists = first + row < points;
    const std::int64_t line = (first + row) * width;
    for (int k = thread % features; k < width; k += features) {
      use(k * plan.pitch + row, line + k, exists);
    }
  }
}

/// The same for a matrix that is read: use(line element, element, whether it exists, its value or
/// 0). Many loads are on their way before the first is used; they come from far.
template <class Use>
__device__ void for_elements_of(const float* __restrict__ matrix, const ChainPlan& plan,
                                std::int64_t first, std::int64_t points, int width, Use use) {
  constexpr int features = 8;
  constexpr int ahead = 13;  // twice of which hold 200 features
  const int thread = static_cast<int>(threadIdx.x);
  for (int row = thread / features; row < plan.rows; row += chain_threads / features) {
    const bool exists = first + row < points;
    const std::int64_t line = (first + row) * width;
    for (int begin = thread % features; begin < width; begin += ahead * features) {
      float values[ahead];
#pragma unroll
      for (int n = 0; n < ahead; ++n) {
        const int k = begin + n * features;
        values[n] = exists && k < width ? __ldg(matrix + line + k) : 0.0F;
      }
#pragma unroll
      for (int n = 0; n < ahead; ++n) {
        const int k = begin + n * features;
        if (k < width) use(k * plan.pitch + row, line + k, exists, values[n]);
      }
    }
  }
}

/// How the weights of a step lie in memory.
enum class Weights {
  as_stored,  ///< B = W: element (k, column) at W[k * columns + column]
  transposed  ///< B = W^T: at W[column * depth + k]
};

/// A thread's share of slice after slice of weights: 4 neighbours in memory.
template <Weights lie>
class SliceCopy {
 public:
  __device__ SliceCopy(const ChainStep& step, const float* parameters) : step_(step) {
    const int thread = static_cast<int>(threadIdx.x);
    const float* const weights = parameters + step.weights;
    const int padded_columns = step.column_groups * chain_patch_columns;
    int k;  // of the slice
    if constexpr (lie == Weights::as_stored) {
      k = thread / (padded_columns / pack);
      const int column = thread % (padded_columns / pack) * pack;
      from_ = weights + static_cast<std::int64_t>(k) * step.columns + column;
      to_ = k * step.slice_pitch + column;
      exist_ = min(max(step.columns - column, 0), pack);
      left_ = k < step.slice_depth ? step.depth - k : 0;
      whole_ = step.columns % pack == 0 && holds_packs(weights);
    } else {
      k = thread % (step.slice_depth / pack) * pack;
      const int column = thread / (step.slice_depth / pack);
      from_ = weights + static_cast<std::int64_t>(column) * step.depth + k;
      to_ = k * step.slice_pitch + column;
      exist_ = column < step.columns ? pack : 0;
      left_ = column < padded_columns ? step.depth - k : 0;
    }
  }

  /// Sets out with the next slice; zeros in columns beyond the last.
  __device__ void begin(float* slice) {
    float* const to = slice + to_;
    if constexpr (lie == Weights::as_stored) {
      if (left_ > 0) {
        if (whole_) {
          copy<pack>(to, from_, exist_ > 0);
        } else {
#pragma unroll
          for (int e = 0; e < pack; ++e) copy<1>(to + e, from_ + e, e < exist_);
        }
      }
    } else {
#pragma unroll
      for (int e = 0; e < pack; ++e) {
        if (e < left_) copy<1>(to + e * step_.slice_pitch, from_ + e, exist_ > 0);
      }
    }
    from_ += lie == Weights::as_stored ? step_.slice_depth * step_.columns : step_.slice_depth;
    left_ -= step_.slice_depth;
  }

 private:
  static constexpr int pack = Pack<float>::size;

  template <int count>
  static __device__ void copy(float* to, const float* from, bool exists) {
    constexpr std::size_t bytes = count * sizeof(float);
    __pipeline_memcpy_async(to, from, bytes, exists ? 0 : bytes);
  }

  const ChainStep& step_;
  const float* from_;
  int to_;      // where in a slice
  int exist_;   // of the 4
  int left_;    // rows of B from here on
  bool whole_;  // as stored: the 4 are a pack
};

/// `count` neighbours, as one load or store.
template <int count>
struct alignas(4 * count) Neighbours {
  float elements[count];
};

/// The product of the block's lines [depth, rows] and a step's weights. After the sums are there
/// and every thread has read the lines, finish(column, sum) replaces them: lines [columns, rows].
/// Ends without a barrier.
template <int patch_rows, Weights lie, class Finish>
__device__ void multiply(const ChainPlan& plan, const ChainStep& step, const float* parameters,
                         float* lines, float* slices, Finish finish) {
  constexpr int pack = patch_rows < 4 ? patch_rows : 4;
  constexpr int packs = patch_rows / pack;
  constexpr int column_packs = chain_patch_columns / Pack<float>::size;
  // The threads of a group of columns are neighbours; the rows of a patch lie in packs.
  const int row_groups = plan.rows / patch_rows;
  const int row = static_cast<int>(threadIdx.x) % row_groups * pack;
  const int pack_distance = row_groups * pack;
  const int first_column = static_cast<int>(threadIdx.x) / row_groups * chain_patch_columns;
  const bool works = first_column < step.columns;

  float sums[patch_rows][chain_patch_columns] = {};
  SliceCopy<lie> copy(step, parameters);
  const auto begin = [&](int stage) {
    copy.begin(slices + stage * plan.slice_elements);
    __pipeline_commit();
  };
#pragma unroll
  for (int early = 0; early < chain_stages - 1; ++early) begin(early);
  int stage = 0;
  for (int k = 0; k < step.depth; k += step.slice_depth) {
    __pipeline_wait_prior(chain_stages - 2);
    __syncthreads();
    // Into the slice that all have left behind.
    begin((stage + chain_stages - 1) % chain_stages);
    if (works) {
      const int depth = min(step.slice_depth, step.depth - k);
      const float* a_line = lines + k * plan.pitch + row;
      const float* b_line = slices + stage * plan.slice_elements + first_column;
#pragma unroll 2
      for (int j = 0; j < depth; ++j, a_line += plan.pitch, b_line += step.slice_pitch) {
        Neighbours<pack> a[packs];
        Pack<float> b[column_packs];
#pragma unroll
        for (int p = 0; p < packs; ++p) {
          a[p] = *reinterpret_cast<const Neighbours<pack>*>(a_line + p * pack_distance);
        }
#pragma unroll
        for (int p = 0; p < column_packs; ++p) b[p] = load_pack(b_line + p * Pack<float>::size);
#pragma unroll
        for (int r = 0; r < patch_rows; ++r) {
#pragma unroll
          for (int c = 0; c < chain_patch_columns; ++c) {
            sums[r][c] += a[r / pack].elements[r % pack] *
                          b[c / Pack<float>::size].elements[c % Pack<float>::size];
          }
        }
      }
    }
    stage = (stage + 1) % chain_stages;
  }

  __syncthreads();
  if (!works) return;
#pragma unroll
  for (int c = 0; c < chain_patch_columns; ++c) {
    const int column = first_column + c;
    if (column >= step.columns) break;
    float column_sums[patch_rows];
#pragma unroll
    for (int r = 0; r < patch_rows; ++r) column_sums[r] = sums[r][c];
    finish(column, column_sums);
#pragma unroll
    for (int p = 0; p < packs; ++p) {
      Neighbours<pack> line;
#pragma unroll
      for (int e = 0; e < pack; ++e) line.elements[e] = column_sums[p * pack + e];
      *reinterpret_cast<Neighbours<pack>*>(lines + column * plan.pitch + row + p * pack_distance) =
          line;
    }
  }
}

/// The same with the patches that the plan has chosen.
template <Weights lie, class Finish>
__device__ void multiply(const ChainPlan& plan, const ChainStep& step, const float* parameters,
                         float* lines, float* slices, Finish finish) {
  switch (step.patch_rows) {
    case 1:
      return multiply<1, lie>(plan, step, parameters, lines, slices, finish);
    case 2:
      return multiply<2, lie>(plan, step, parameters, lines, slices, finish);
    case 4:
      return multiply<4, lie>(plan, step, parameters, lines, slices, finish);
    default:
      return multiply<8, lie>(plan, step, parameters, lines, slices, finish);
  }
}

}  // namespace siamese::cuda::chain
