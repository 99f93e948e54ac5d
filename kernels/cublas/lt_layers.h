#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/lt.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese::cublas {

/// Where h_l > 0 for each hidden layer with relu, a bit an element: what the products of the
/// forward pass leave for those of the backward pass.
class ReluMasks {
 public:
  ReluMasks(const Network& network, std::int64_t points) : network_(network) {
    for (const Layer& layer : network.layers()) {
      const bool hidden = &layer != &network.layers().back();
      const bool masked = hidden && layer.activation == Activation::relu;
      masks_.emplace_back(Device::cuda, masked ? points * mask_bits(layer.outputs) / 32 : 0);
    }
  }

  /// Of h_l [points, outputs], laid out as launch_positive_mask does; null where there is none.
  std::uint32_t* of(const Layer& layer) const {
    const auto& mask = masks_[static_cast<std::size_t>(&layer - network_.layers().data())];
    return mask.size() == 0 ? nullptr : mask.data();
  }

 private:
  const Network& network_;
  std::vector<Buffer<std::uint32_t>> masks_;
};

/// Launches one after another, with the memory that they work in.
inline Launch in_turn(std::vector<Launch> launches, std::shared_ptr<const void> memory) {
  return [memory = std::move(memory), launches = std::move(launches)](Stream stream) {
    for (const Launch& launch : launches) launch(stream);
  };
}

/// Adds C = relu(A B + b) that leaves its mask: one product, or, where cuBLASLt has no such
/// product, one without and a launch behind it.
void add_masked_relu(std::vector<Launch>& launches, const std::shared_ptr<const Lt>& lt,
                     Precision precision, const LtOperands& product, const void* bias,
                     std::uint32_t* mask);

/// The forward pass by cuBLASLt. Leaves the masks where there are some to leave.
Launch plan_forward_lt(const PairForwardArgs<float>& args, Precision precision,
                       const std::shared_ptr<const ReluMasks>& masks);

/// The backward pass by cuBLASLt. Uses the masks that the forward pass has left; without any, makes
/// each from h by a launch.
Launch plan_backward_lt(const PairBackwardArgs<float>& args, Precision precision,
                        const std::shared_ptr<const ReluMasks>& masks);

}  // namespace siamese::cublas
