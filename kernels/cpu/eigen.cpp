#include "kernels/cpu/eigen_ops.h"
#include "kernels/cpu/training.h"
#include "kernels/cpu/variants.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 0 of every CPU op, "eigen": plain Eigen (simd/eigen.cpp), compiled like the other rungs for
// each instruction set and run in the widest, so that Eigen's own products are at their best. They
// thread themselves by OpenMP; everything else runs on one thread. Workspaces are taken once, but
// every call allocates: Eigen's products their packing buffers, the losses their blocks of pairs.

namespace siamese {
namespace {

/// An op whose kernel takes its arguments alone.
template <class Args>
Launch launch(void (*kernel)(const Args&), const Args& args) {
  return [kernel, args](Stream) { kernel(args); };
}

/// Steps by Eigen's products, which see by themselves how many threads they may have.
template <class T>
struct OwnProducts : EigenStep<T> {
  OwnProducts(const TrainStepArgs<T>& most, int /*threads*/) : EigenStep<T>(most, nullptr) {}
};

template <class T>
struct RegisterEigen {
  Register<PairForwardArgs<T>> pair_forward{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<PairForwardArgs<T>>,
       [](const auto& args) { return eigen_forward<T>(args, nullptr); }}};
  Register<DistanceLossArgs<T>> distance_loss{
      {"eigen", Device::cpu, precision_of<T>, 0, listed_pairs<T>,
       [](const auto& args) { return launch(chosen_eigen_kernels<T>().distance_loss, args); }}};
  Register<AllPairsLossArgs<T>> all_pairs_loss{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<AllPairsLossArgs<T>>,
       [](const auto& args) { return launch(chosen_eigen_kernels<T>().all_pairs_loss, args); }}};
  Register<PairBackwardArgs<T>> pair_backward{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<PairBackwardArgs<T>>,
       [](const auto& args) { return eigen_backward<T>(args, nullptr); }}};
  Register<AdamArgs<T>> adam{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<AdamArgs<T>>,
       [](const auto& args) { return launch(chosen_eigen_kernels<T>().adam, args); }}};
  Register<TrainStepArgs<T>> train_step{
      {"eigen", Device::cpu, precision_of<T>, 0, any_shape<TrainStepArgs<T>>,
       launch_of<SingleStep<T, OwnProducts<T>>, TrainStepArgs<T>>}};
  Register<FitArgs<T>> fit{{"eigen", Device::cpu, precision_of<T>, 0, why_no_batches<T>,
                            launch_of<Fit<T, OwnProducts<T>>, FitArgs<T>>}};
};

const RegisterEigen<float> register_float32;
const RegisterEigen<double> register_float64;

}  // namespace
}  // namespace siamese
