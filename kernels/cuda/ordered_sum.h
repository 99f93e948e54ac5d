#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace siamese::cuda {

/// out = scale * (parts[0] + .. + parts[count - 1]), always in the same order, on `stream`; 0 for
/// no parts. One block: for the thousands of partial sums that a grid leaves behind.
void launch_ordered_sum(const double* parts, std::int64_t count, double scale, double* out,
                        cudaStream_t stream);

/// The same of each column of parts [count, width], a block each, summed in float64: out [width].
template <class T>
void launch_ordered_sums(const T* parts, std::int64_t count, std::int64_t width, double scale,
                         T* out, cudaStream_t stream);

}  // namespace siamese::cuda
