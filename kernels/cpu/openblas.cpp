#include <fmt/format.h>

#include <limits>
#include <optional>
#include <string>

#include "kernels/cpu/eigen_ops.h"
#include "kernels/cpu/openblas_library.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/training.h"
#include "kernels/cpu/variants.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 0 of the ops that multiply matrices, "openblas": the variant eigen with its products by
// OpenBLAS, of the kernels that are right for this processor, which OpenBLAS by itself does not
// always choose (openblas_library.cpp). It threads them itself. Of the trainings of a whole fit it
// has none: each is of small steps, and threads of ours may not call an OpenBLAS of OpenMP's at
// once.

namespace siamese {
namespace {

/// why_unsupported of an op with a network and rows of `points`.
template <class Args>
std::optional<std::string> why_not(const Args& args) {
  constexpr std::int64_t most = std::numeric_limits<int>::max();
  if (args.points > most) {
    return fmt::format("points:{}: OpenBLAS takes at most {} rows", args.points, most);
  }
  return why_no_openblas();
}

template <class T>
struct BlasProducts : EigenStep<T> {
  BlasProducts(const TrainStepArgs<T>& most, int threads)
      : EigenStep<T>(most, openblas_gemm<T>(threads)) {}
};

template <class T>
struct RegisterOpenBlas {
  Register<PairForwardArgs<T>> pair_forward{
      {"openblas", Device::cpu, precision_of<T>, 0, why_not<PairForwardArgs<T>>,
       [](const auto& args) { return eigen_forward<T>(args, openblas_gemm<T>(most_threads())); }}};
  Register<PairBackwardArgs<T>> pair_backward{
      {"openblas", Device::cpu, precision_of<T>, 0, why_not<PairBackwardArgs<T>>,
       [](const auto& args) { return eigen_backward<T>(args, openblas_gemm<T>(most_threads())); }}};
  Register<TrainStepArgs<T>> train_step{
      {"openblas", Device::cpu, precision_of<T>, 0, why_not<TrainStepArgs<T>>,
       launch_of<SingleStep<T, BlasProducts<T>>, TrainStepArgs<T>>}};
};

const RegisterOpenBlas<float> register_float32;
const RegisterOpenBlas<double> register_float64;

}  // namespace
}  // namespace siamese
