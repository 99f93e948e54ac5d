#include <algorithm>
#include <memory>

#include "kernels/cpu/simd/dispatch.h"
#include "kernels/cpu/simd/eigen.h"
#include "kernels/cpu/training.h"
#include "kernels/cpu/variants.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 0 of every CPU op, "eigen": plain Eigen (simd/eigen.cpp), compiled like the other rungs for
// each instruction set and run in the widest, so that Eigen's own products are at their best. They
// thread themselves by OpenMP; everything else runs on one thread. Workspaces are taken once, but
// Eigen's products allocate their packing buffers in every call.

namespace siamese {
namespace {

template <class T>
EigenKernels<T> kernels() {
  return for_chosen_isa([]<Isa isa>() { return eigen_kernels<isa, T>(); });
}

/// An op whose kernel takes its arguments alone.
template <class Args>
Launch launch(void (*kernel)(const Args&), const Args& args) {
  return [kernel, args](Stream) { kernel(args); };
}

std::int64_t backward_workspace(const Network& network, std::int64_t points) {
  std::int64_t widest = 0;
  for (const Layer& layer : network.layers()) widest = std::max(widest, layer.outputs);
  return 2 * points * widest;
}

template <class T>
Launch prepare_backward(const PairBackwardArgs<T>& args) {
  auto workspace =
      std::make_shared<Buffer<T>>(Device::cpu, backward_workspace(*args.network, args.points));
  return [args, workspace, kernel = kernels<T>().pair_backward](Stream) {
    kernel(args, workspace->data());
  };
}

/// Training steps composed of the ops, with what they hand to each other.
template <class T>
class ComposedStep {
 public:
  /// For steps of this network with as many points or fewer. Eigen's products see by themselves how
  /// many threads they may have.
  ComposedStep(const TrainStepArgs<T>& most, int /*threads*/)
      : kernels_(kernels<T>()),
        hidden_(Device::cpu, most.points * most.network->hidden_width()),
        embeddings_(Device::cpu, most.points * most.network->embedding_width()),
        gradient_(Device::cpu, most.points * most.network->embedding_width()),
        gradients_(Device::cpu, most.network->parameter_count()),
        workspace_(Device::cpu, backward_workspace(*most.network, most.points)) {}

  void run(const TrainStepArgs<T>& a) const {
    const std::int64_t width = a.network->embedding_width();
    kernels_.pair_forward(
        {a.network, a.points, a.x, a.parameters, hidden_.data(), embeddings_.data()});
    if (a.pairs.form == PairForm::all) {
      kernels_.all_pairs_loss({a.points, width, embeddings_.data(), a.pairs.coordinate_width,
                               a.pairs.coordinates, a.loss, a.loss_value, gradient_.data()});
    } else {
      kernels_.distance_loss(
          {a.points, width, embeddings_.data(), a.pairs, a.loss, a.loss_value, gradient_.data()});
    }
    kernels_.pair_backward({a.network, a.points, a.x, a.parameters, hidden_.data(),
                            embeddings_.data(), gradient_.data(), gradients_.data()},
                           workspace_.data());
    kernels_.adam({gradients_.size(), gradients_.data(), a.parameters, a.m, a.v, a.step, a.adam});
  }

 private:
  EigenKernels<T> kernels_;
  Buffer<T> hidden_, embeddings_, gradient_, gradients_, workspace_;
};

template <class T>
struct RegisterEigen {
  Register<PairForwardArgs<T>> pair_forward{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<PairForwardArgs<T>>,
       [](const auto& args) { return launch(kernels<T>().pair_forward, args); }}};
  Register<DistanceLossArgs<T>> distance_loss{
      {"eigen", Device::cpu, precision_of<T>, 0, listed_pairs<T>,
       [](const auto& args) { return launch(kernels<T>().distance_loss, args); }}};
  Register<AllPairsLossArgs<T>> all_pairs_loss{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<AllPairsLossArgs<T>>,
       [](const auto& args) { return launch(kernels<T>().all_pairs_loss, args); }}};
  Register<PairBackwardArgs<T>> pair_backward{{"eigen", Device::cpu, precision_of<T>, 0,
                                               any_shape<PairBackwardArgs<T>>,
                                               prepare_backward<T>}};
  Register<AdamArgs<T>> adam{{"eigen", Device::cpu, precision_of<T>, 0, any_shape<AdamArgs<T>>,
                              [](const auto& args) { return launch(kernels<T>().adam, args); }}};
  Register<TrainStepArgs<T>> train_step{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<TrainStepArgs<T>>,
       launch_of<SingleStep<T, ComposedStep<T>>, TrainStepArgs<T>>}};
  Register<FitArgs<T>> fit{{"eigen", Device::cpu, precision_of<T>, 0, shared_points<T>,
                            launch_of<Fit<T, ComposedStep<T>>, FitArgs<T>>}};
};

const RegisterEigen<float> register_float32;
const RegisterEigen<double> register_float64;

}  // namespace
}  // namespace siamese
