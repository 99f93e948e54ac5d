#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace siamese::cuda {

/// sums [count] = parts[0] + .. + parts[part_count - 1], parts [part_count, count], always in the
/// same order, on `stream`: what makes a sum over parts of the points the same bits each time.
void launch_sum_parts(const float* parts, std::int64_t part_count, std::int64_t count, float* sums,
                      cudaStream_t stream);

}  // namespace siamese::cuda
