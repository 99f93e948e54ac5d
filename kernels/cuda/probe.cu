#include "kernels/cuda/probe.h"

namespace siamese::cuda {
namespace {

// Asked about, never launched: the runtime finds code for it exactly where it finds code for all.
__global__ void probe() {}

}  // namespace

cudaError_t probe_code() {
  cudaFuncAttributes attributes{};
  const cudaError_t code = cudaFuncGetAttributes(&attributes, probe);
  cudaGetLastError();
  return code;
}

}  // namespace siamese::cuda
