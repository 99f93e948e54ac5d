#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void last_dz(std::int64_t count, Activation activation,
                        const T* __restrict__ gradient,     // G [count]
                        const T* __restrict__ activations,  // h_L [count]
                        T* __restrict__ dz) {               // [count]
  for (std::int64_t i = grid_thread(); i < count; i += grid_threads()) {
    dz[i] = gradient[i] * activation_derivative(activation, activations[i]);
  }
}

}  // namespace

void clear_gradients(const PairBackwardArgs<float>& args, cudaStream_t stream) {
  const auto bytes = static_cast<std::size_t>(args.network->parameter_count()) * sizeof(float);
  SIAMESE_CHECK_CUDA(cudaMemsetAsync(args.gradients, 0, bytes, stream));
}

template <class T>
void launch_last_dz(const PairBackwardArgs<T>& args, T* dz, cudaStream_t stream) {
  const Layer& layer = args.network->layers().back();
  const std::int64_t count = args.points * layer.outputs;
  if (count == 0) return;
  last_dz<<<strided_blocks(count, threads), threads, 0, stream>>>(
      count, layer.activation, args.gradient, args.embeddings, dz);
  SIAMESE_CHECK_LAUNCH("last_dz");
}

template void launch_last_dz(const PairBackwardArgs<float>&, float*, cudaStream_t);
template void launch_last_dz(const PairBackwardArgs<double>&, double*, cudaStream_t);

}  // namespace siamese::cuda
