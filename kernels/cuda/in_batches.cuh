#pragma once

namespace siamese::cuda {

/// store(i, load(i)) for i = first, first + step, .. below `count`, with up to `batch` loads under
/// way together. A load takes hundreds of cycles from the caches and more from memory; where few
/// warps are on a multiprocessor, loads that wait for one another are all that they do.
template <int batch, class Load, class Store>
__device__ void in_batches(int first, int step, int count, Load load, Store store) {
  for (int i = first; i < count; i += batch * step) {
    decltype(load(i)) held[batch];
#pragma unroll
    for (int j = 0; j < batch; ++j) {
      if (i + j * step < count) held[j] = load(i + j * step);
    }
#pragma unroll
    for (int j = 0; j < batch; ++j) {
      if (i + j * step < count) store(i + j * step, held[j]);
    }
  }
}

}  // namespace siamese::cuda
