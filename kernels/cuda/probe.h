#pragma once

#include <cuda_runtime_api.h>

namespace siamese::cuda {

/// cudaSuccess where the program holds code for the current device, else why it has none. The
/// runtime's record of the error is cleared.
cudaError_t probe_code();

/// What the program's code for the current device, which is not always the latest that the device
/// could run, was compiled for.
struct DeviceCode {
  bool of_90;  ///< compute capability 9.0 or later
  bool wgmma;  ///< sm_90a
};

DeviceCode probe_device_code();

}  // namespace siamese::cuda
