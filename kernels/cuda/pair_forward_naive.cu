// Forward, rung 1: a thread for each element of h_l [n, d_l], which is a dot product of length
// d_{l-1} and the activation. A launch a layer.
//
// Neighbouring threads take neighbouring columns, so W [d_{l-1}, d_l] is read coalesced and the
// row of h_{l-1} [n, d_{l-1}] is broadcast. But every multiply-add loads both of its operands:
// n d_{l-1} d_l of them come through L1 twice over, where n d_{l-1} + d_{l-1} d_l elements exist.

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/layers.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void layer_forward(std::int64_t points, std::int64_t inputs, std::int64_t outputs,
                              Activation activation,
                              const T* __restrict__ input,    // h_{l-1} [points, inputs]
                              const T* __restrict__ weights,  // W [inputs, outputs]
                              const T* __restrict__ bias,     // b [outputs]
                              T* __restrict__ output) {       // h_l [points, outputs]
  for (std::int64_t i = grid_thread(); i < points * outputs; i += grid_threads()) {
    const std::int64_t row = i / outputs;
    const std::int64_t column = i % outputs;
    T z = bias[column];
    for (std::int64_t k = 0; k < inputs; ++k) {
      z += input[row * inputs + k] * weights[k * outputs + column];
    }
    output[i] = activate(activation, z);
  }
}

template <class T>
void launch_forward(const PairForwardArgs<T>& args, cudaStream_t stream) {
  for_each_layer(args, [&](const ForwardLayer<T>& layer) {
    const Layer& shape = layer.shape;
    const std::int64_t elements = args.points * shape.outputs;
    if (elements == 0) return;
    layer_forward<<<strided_blocks(elements, threads), threads, 0, stream>>>(
        args.points, shape.inputs, shape.outputs, shape.activation, layer.input,
        layer.parameters.weights, layer.parameters.bias, layer.output);
    SIAMESE_CHECK_LAUNCH("layer_forward");
  });
}

template <class T>
Launch prepare(const PairForwardArgs<T>& args) {
  return traced(args, "naive", precision_of<T>,
                [args](Stream stream) { launch_forward(args, cuda_stream(stream)); });
}

template <class T>
Variant<PairForwardArgs<T>> variant() {
  return {.name = "naive",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 1,
          .why_unsupported = serves_all<PairForwardArgs<T>>,
          .prepare = prepare<T>};
}

const Register<PairForwardArgs<float>> float32(variant<float>());
const Register<PairForwardArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
