#include "kernels/cuda/probe.h"

#include "kernels/cuda/check.h"
#include "kernels/cuda/wgmma.cuh"
#include "kernels/cuda/wgmma_twin.cuh"

namespace siamese::cuda {
namespace {

// Asked about, never launched: the runtime finds code for it exactly where it finds code for all.
__global__ void probe() {}

// Each architecture's code has its own.
__device__ DeviceCode device_code{.of_90 = WgmmaTwin::available, .wgmma = Wgmma::available};

}  // namespace

cudaError_t probe_code() {
  cudaFuncAttributes attributes{};
  const cudaError_t code = cudaFuncGetAttributes(&attributes, probe);
  cudaGetLastError();
  return code;
}

DeviceCode probe_device_code() {
  DeviceCode code{};
  SIAMESE_CHECK_CUDA(cudaMemcpyFromSymbol(&code, device_code, sizeof code));
  return code;
}

}  // namespace siamese::cuda
