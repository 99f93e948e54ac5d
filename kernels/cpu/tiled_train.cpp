#include "kernels/cpu/tiled_step.h"
#include "kernels/cpu/training.h"
#include "kernels/cpu/variants.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 1 of train_step and fit, "tiled": the fused step of tiled_step.h. The rung below runs the
// ops one after another, whole matrices through memory in each.

namespace siamese {
namespace {

template <class T>
struct RegisterTiledTraining {
  Register<TrainStepArgs<T>> train_step{{"tiled", Device::cpu, precision_of<T>, 1,
                                         any_shape<TrainStepArgs<T>>,
                                         launch_of<SingleStep<T, TiledStep<T>>, TrainStepArgs<T>>}};
  Register<FitArgs<T>> fit{{"tiled", Device::cpu, precision_of<T>, 1, why_no_batches<T>,
                            launch_of<Fit<T, TiledStep<T>>, FitArgs<T>>}};
};

const RegisterTiledTraining<float> register_float32;
const RegisterTiledTraining<double> register_float64;

}  // namespace
}  // namespace siamese
