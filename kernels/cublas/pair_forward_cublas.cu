// Forward, rung 0: a product of cuBLAS per layer, then a launch for bias and activation, the plain
// way that a framework goes. Besides the product, h_l [n, d_l] is read and written once more.
// In float32 (pedantic), TF32 and bf16 products, each under its own name.

#include <memory>

#include "kernels/cublas/blas.h"
#include "kernels/cuda/activation.cuh"
#include "kernels/cuda/check.h"
#include "kernels/cuda/index.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/variant_parts.h"
#include "model/parameters.h"

namespace siamese::cublas {
namespace {

using Args = PairForwardArgs<float>;

constexpr int threads = 256;

__global__ void add_bias_activate(std::int64_t points, std::int64_t outputs, Activation activation,
                                  const float* __restrict__ bias,  // b [outputs]
                                  float* __restrict__ h) {         // z, then h [points, outputs]
  for (std::int64_t i = cuda::grid_thread(); i < points * outputs; i += cuda::grid_threads()) {
    h[i] = cuda::activate(activation, h[i] + bias[i % outputs]);
  }
}

void launch_forward(const Args& args, const Blas& blas, Stream stream) {
  if (args.points == 0) return;
  blas.set_stream(stream);
  Matrix input{args.x, args.points, args.network->input_width()};
  float* hidden = args.hidden;
  for (const Layer& layer : args.network->layers()) {
    const bool last = &layer == &args.network->layers().back();
    float* const output = last ? args.embeddings : hidden;
    const std::int64_t elements = args.points * layer.outputs;
    const auto p = view(layer, args.parameters);
    blas.multiply(input, Read::plain, {p.weights, layer.inputs, layer.outputs}, Read::plain,
                  output);
    add_bias_activate<<<cuda::strided_blocks(elements, threads), threads, 0,
                        cuda::cuda_stream(stream)>>>(args.points, layer.outputs, layer.activation,
                                                     p.bias, output);
    SIAMESE_CHECK_LAUNCH("add_bias_activate");
    input = {output, args.points, layer.outputs};
    hidden += elements;
  }
}

std::optional<std::string> why_unsupported(const Args& args) { return why_too_many(args.points); }

template <Precision precision>
Launch prepare(const Args& args) {
  const auto blas = std::make_shared<const Blas>(precision);
  return cuda::traced(args, "cublas", precision,
                      [args, blas](Stream stream) { launch_forward(args, *blas, stream); });
}

template <Precision precision>
Variant<Args> variant() {
  return {.name = "cublas",
          .device = Device::cuda,
          .precision = precision,
          .rung = 0,
          .why_unsupported = why_unsupported,
          .prepare = prepare<precision>};
}

const Register<Args> float32(variant<Precision::float32>());
const Register<Args> tf32(variant<Precision::tf32>());
const Register<Args> bf16(variant<Precision::bf16>());

}  // namespace
}  // namespace siamese::cublas
