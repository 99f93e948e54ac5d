#pragma once

#include <cuda_runtime_api.h>

namespace siamese::cuda {

/// cudaSuccess where the program holds code for the current device, else why it has none. The
/// runtime's record of the error is cleared.
cudaError_t probe_code();

}  // namespace siamese::cuda
