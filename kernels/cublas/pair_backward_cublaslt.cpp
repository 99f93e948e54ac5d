// Backward, rung 0 by cuBLASLt: what the cublas variant has launches of its own for is in the
// products' epilogues. From the last layer down:
//   dW_l [d_{l-1}, d_l] = h_{l-1}^T dz_l, with db_l as the column sums of dz_l, unless dz_l's own
//     product has summed it (BGRADA, for our B is cuBLASLt's A)
//   dz_{l-1} [n, d_{l-1}] = dz_l W_l^T masked by h_{l-1} > 0, with db_{l-1} (DRELU_BGRAD)
// The mask is a bit an element. The op is given h and not the mask that the forward epilogue can
// leave, so a launch makes it from h; a training step has the mask. Below what is not relu, dh is
// multiplied by act' in place. In float32 (pedantic), TF32 and bf16 products, each under its own
// name.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/lt.h"
#include "kernels/cublas/lt_layers.h"
#include "kernels/cublas/register.h"
#include "kernels/cuda/backward_workspace.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/layers.h"

namespace siamese::cublas {
namespace {

using Args = PairBackwardArgs<float>;

bool below_relu(const cuda::BackwardLayer<float>& layer) {
  return layer.below != nullptr && layer.below->activation == Activation::relu;
}

struct Workspace {
  cuda::BackwardWorkspace<float> rows;
  std::shared_ptr<const ReluMasks> masks;  // of the forward pass, or none
  Buffer<std::uint32_t> mask;              // of the layer at hand, where there are none
  Buffer<float> bias;  // gradient of the layer at hand, where its own place will not do

  Workspace(const Args& args, std::shared_ptr<const ReluMasks> given)
      : rows(args), masks(std::move(given)) {
    std::int64_t bits = 0;
    cuda::for_each_layer(args, [&](const cuda::BackwardLayer<float>& layer) {
      if (below_relu(layer) && masks == nullptr)
        bits = std::max(bits, mask_bits(layer.shape.inputs));
    });
    mask = Buffer<std::uint32_t>(Device::cuda, args.points * bits / 32);
    bias = Buffer<float>(Device::cuda, args.network->greatest_outputs());
  }
};

/// Adds a product whose epilogue sums `width` elements of a bias's gradient. For long sums
/// cuBLASLt's kernels write these 8 bytes at a time (13.1 on an H100), but in the flat buffer of
/// gradients they lie anywhere: one that is not aligned is copied to its place.
void add_with_bias(std::vector<Launch>& launches, const std::shared_ptr<const Lt>& lt,
                   Precision precision, const LtOperands& operands, LtEpilogue epilogue,
                   float* bias_gradient, std::int64_t width, float* aligned) {
  const bool direct = reinterpret_cast<std::uintptr_t>(bias_gradient) % 16 == 0;
  epilogue.bias = direct ? bias_gradient : aligned;
  launches.push_back(plan_product(lt, precision, operands, epilogue));
  if (direct) return;
  launches.emplace_back([=](Stream stream) {
    SIAMESE_CHECK_CUDA(cudaMemcpyAsync(bias_gradient, aligned,
                                       static_cast<std::size_t>(width) * sizeof(float),
                                       cudaMemcpyDeviceToDevice, cuda::cuda_stream(stream)));
  });
}

/// The launches of a backward pass over some points, in order.
std::vector<Launch> plan_backward(const Args& args, Precision precision,
                                  const Workspace& workspace) {
  const auto lt = std::make_shared<const Lt>();
  const std::int64_t n = args.points;
  float* dz = workspace.rows.dz.data();
  float* previous = workspace.rows.previous.data();
  std::vector<Launch> launches{
      [=](Stream stream) { cuda::launch_last_dz(args, dz, cuda::cuda_stream(stream)); }};
  bool bias_summed = false;  // by the product that gave dz
  cuda::for_each_layer(args, [&](const cuda::BackwardLayer<float>& layer) {
    const Layer& shape = layer.shape;
    const LtMatrix dz_l{dz, n, shape.outputs};
    const LtMatrix weights{layer.parameters.weights, shape.inputs, shape.outputs};
    const LtOperands to_weights{
        {layer.input, n, shape.inputs}, Read::transposed, dz_l, Read::plain, layer.weight_gradient};
    if (bias_summed) {
      launches.push_back(plan_product(lt, precision, to_weights, {}));
    } else {
      add_with_bias(launches, lt, precision, to_weights, {.kind = CUBLASLT_EPILOGUE_BGRADA},
                    layer.bias_gradient, shape.outputs, workspace.bias.data());
    }
    if (layer.below == nullptr) return;
    const LtOperands to_previous{dz_l, Read::plain, weights, Read::transposed, previous};
    const float* const h = layer.input;
    bias_summed = below_relu(layer);
    if (bias_summed) {
      std::uint32_t* mask = workspace.mask.data();
      if (workspace.masks != nullptr) {
        mask = workspace.masks->of(*layer.below);
      } else {
        launches.emplace_back([=, width = shape.inputs](Stream stream) {
          launch_positive_mask(n, width, h, mask, cuda::cuda_stream(stream));
        });
      }
      add_with_bias(launches, lt, precision, to_previous,
                    {.kind = CUBLASLT_EPILOGUE_DRELU_BGRAD, .mask = mask},
                    layer.bias_gradient_below, shape.inputs, workspace.bias.data());
    } else {
      launches.push_back(plan_product(lt, precision, to_previous, {}));
      launches.emplace_back([=, count = n * shape.inputs, activation = layer.below->activation,
                             to = previous](Stream stream) {
        launch_times_derivative(count, activation, h, to, cuda::cuda_stream(stream));
      });
    }
    std::swap(dz, previous);
  });
  return launches;
}

std::vector<Launch> plan_zeros(const Args& args) {
  return {[args](Stream stream) { cuda::clear_gradients(args, cuda::cuda_stream(stream)); }};
}

Launch prepare(const Args& args, Precision precision) {
  return plan_backward_lt(args, precision, nullptr);
}

const RegisterProducts<Args> variants("cublaslt", prepare);

}  // namespace

Launch plan_backward_lt(const Args& args, Precision precision,
                        const std::shared_ptr<const ReluMasks>& masks) {
  const auto workspace = std::make_shared<const Workspace>(args, masks);
  return in_turn(args.points == 0 ? plan_zeros(args) : plan_backward(args, precision, *workspace),
                 workspace);
}

}  // namespace siamese::cublas
