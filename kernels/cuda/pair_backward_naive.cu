// Backward, rung 1: a thread for each element of what is computed. From the last layer down, with
// dz_l [n, d_l] = dh_l * act_l'(z_l) in a workspace, three launches a layer:
//   dW_l [d_{l-1}, d_l] = h_{l-1}^T dz_l     a thread per weight sums over all n points
//   db_l [d_l] = column sums of dz_l         a thread per column sums over all n points
//   dz_{l-1} [n, d_{l-1}] = (dz_l W_l^T) * act_{l-1}'(z_{l-1})
//
// As in the forward rung every multiply-add loads both operands. Besides, the sums over points run
// on d_{l-1} d_l threads however many points there are (2,000 in a last layer of 200 x 10), and the
// last product walks W by rows, so that neighbouring lanes read d_l elements apart.

#include <memory>
#include <utility>

#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/layers.h"
#include "kernels/cuda/variant_parts.h"

namespace siamese::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void weight_gradient(std::int64_t points, std::int64_t inputs, std::int64_t outputs,
                                const T* __restrict__ input,  // h_{l-1} [points, inputs]
                                const T* __restrict__ dz,     // [points, outputs]
                                T* __restrict__ dw) {         // [inputs, outputs]
  for (std::int64_t i = grid_thread(); i < inputs * outputs; i += grid_threads()) {
    const std::int64_t row = i / outputs;
    const std::int64_t column = i % outputs;
    T sum = T(0);
    for (std::int64_t p = 0; p < points; ++p) {
      sum += input[p * inputs + row] * dz[p * outputs + column];
    }
    dw[i] = sum;
  }
}

template <class T>
__global__ void bias_gradient(std::int64_t points, std::int64_t outputs,
                              const T* __restrict__ dz,  // [points, outputs]
                              T* __restrict__ db) {      // [outputs]
  for (std::int64_t column = grid_thread(); column < outputs; column += grid_threads()) {
    T sum = T(0);
    for (std::int64_t p = 0; p < points; ++p) sum += dz[p * outputs + column];
    db[column] = sum;
  }
}

template <class T>
__global__ void previous_dz(std::int64_t points, std::int64_t inputs, std::int64_t outputs,
                            Activation activation,
                            const T* __restrict__ dz,           // [points, outputs]
                            const T* __restrict__ weights,      // W [inputs, outputs]
                            const T* __restrict__ activations,  // h_{l-1} [points, inputs]
                            T* __restrict__ previous) {         // dz_{l-1} [points, inputs]
  for (std::int64_t i = grid_thread(); i < points * inputs; i += grid_threads()) {
    const std::int64_t row = i / inputs;
    const std::int64_t column = i % inputs;
    T sum = T(0);
    for (std::int64_t k = 0; k < outputs; ++k) {
      sum += dz[row * outputs + k] * weights[column * outputs + k];
    }
    previous[i] = sum * activation_derivative(activation, activations[i]);
  }
}

template <class T>
void launch_backward(const PairBackwardArgs<T>& args, const BackwardWorkspace<T>& workspace,
                     cudaStream_t stream) {
  T* dz = workspace.dz.data();
  T* previous = workspace.previous.data();
  launch_last_dz(args, dz, stream);
  for_each_layer(args, [&](const BackwardLayer<T>& layer) {
    const std::int64_t inputs = layer.shape.inputs;
    const std::int64_t outputs = layer.shape.outputs;
    weight_gradient<<<strided_blocks(inputs * outputs, threads), threads, 0, stream>>>(
        args.points, inputs, outputs, layer.input, dz, layer.weight_gradient);
    SIAMESE_CHECK_LAUNCH("weight_gradient");
    bias_gradient<<<strided_blocks(outputs, threads), threads, 0, stream>>>(
        args.points, outputs, dz, layer.bias_gradient);
    SIAMESE_CHECK_LAUNCH("bias_gradient");
    if (layer.below == nullptr || args.points == 0) return;
    previous_dz<<<strided_blocks(args.points * inputs, threads), threads, 0, stream>>>(
        args.points, inputs, outputs, layer.below->activation, dz, layer.parameters.weights,
        layer.input, previous);
    SIAMESE_CHECK_LAUNCH("previous_dz");
    std::swap(dz, previous);
  });
}

template <class T>
Launch prepare(const PairBackwardArgs<T>& args) {
  const auto workspace = std::make_shared<const BackwardWorkspace<T>>(args);
  return traced(args, "naive", precision_of<T>, [args, workspace](Stream stream) {
    launch_backward(args, *workspace, cuda_stream(stream));
  });
}

template <class T>
Variant<PairBackwardArgs<T>> variant() {
  return {.name = "naive",
          .device = Device::cuda,
          .precision = precision_of<T>,
          .rung = 1,
          .why_unsupported = serves_all<PairBackwardArgs<T>>,
          .prepare = prepare<T>};
}

const Register<PairBackwardArgs<float>> float32(variant<float>());
const Register<PairBackwardArgs<double>> float64(variant<double>());

}  // namespace
}  // namespace siamese::cuda
