#pragma once

#include <cstdint>
#include <memory>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/simd/dispatch.h"
#include "kernels/cpu/simd/eigen.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Ops by the plain Eigen kernels (simd/eigen.cpp), whose products are Eigen's or a BLAS's.

namespace siamese {

template <class T>
EigenKernels<T> chosen_eigen_kernels() {
  return for_chosen_isa([]<Isa isa>() { return eigen_kernels<isa, T>(); });
}

template <class T>
Launch eigen_forward(const PairForwardArgs<T>& args, GemmFunction<T> gemm) {
  return
      [args, gemm, kernel = chosen_eigen_kernels<T>().pair_forward](Stream) { kernel(args, gemm); };
}

inline std::int64_t eigen_backward_workspace(const Network& network, std::int64_t points) {
  return 2 * points * network.greatest_outputs();
}

template <class T>
Launch eigen_backward(const PairBackwardArgs<T>& args, GemmFunction<T> gemm) {
  auto workspace = std::make_shared<Buffer<T>>(
      Device::cpu, eigen_backward_workspace(*args.network, args.points));
  return [args, workspace, gemm, kernel = chosen_eigen_kernels<T>().pair_backward](Stream) {
    kernel(args, workspace->data(), gemm);
  };
}

/// Training steps composed of the ops, with what they hand to each other.
template <class T>
class EigenStep {
 public:
  /// For steps of this network with as many points or fewer.
  EigenStep(const TrainStepArgs<T>& most, GemmFunction<T> gemm)
      : kernels_(chosen_eigen_kernels<T>()),
        gemm_(gemm),
        hidden_(Device::cpu, most.points * most.network->hidden_width()),
        embeddings_(Device::cpu, most.points * most.network->embedding_width()),
        gradient_(Device::cpu, most.points * most.network->embedding_width()),
        gradients_(Device::cpu, parameter_count(*most.network, most.loss)),
        workspace_(Device::cpu, eigen_backward_workspace(*most.network, most.points)) {}

  void run(const TrainStepArgs<T>& a) const {
    const std::int64_t width = a.network->embedding_width();
    const T* const merge = a.parameters + a.network->parameter_count();
    T* const merge_gradient = gradients_.data() + a.network->parameter_count();
    kernels_.pair_forward(
        {a.network, a.points, a.x, a.parameters, hidden_.data(), embeddings_.data()}, gemm_);
    if (a.pairs.form == PairForm::all) {
      kernels_.all_pairs_loss({a.points, width, embeddings_.data(), merge, a.pairs.coordinate_width,
                               a.pairs.coordinates, a.loss, a.loss_value, gradient_.data(),
                               merge_gradient});
    } else {
      kernels_.distance_loss({a.points, width, embeddings_.data(), merge, a.pairs, a.loss,
                              a.loss_value, gradient_.data(), merge_gradient});
    }
    kernels_.pair_backward({a.network, a.points, a.x, a.parameters, hidden_.data(),
                            embeddings_.data(), gradient_.data(), gradients_.data()},
                           workspace_.data(), gemm_);
    kernels_.adam({gradients_.size(), gradients_.data(), a.parameters, a.m, a.v, a.step, a.adam});
  }

 private:
  EigenKernels<T> kernels_;
  GemmFunction<T> gemm_;
  Buffer<T> hidden_, embeddings_, gradient_, gradients_, workspace_;
};

}  // namespace siamese
