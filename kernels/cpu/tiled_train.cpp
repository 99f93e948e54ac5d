#include <algorithm>
#include <vector>

#include "kernels/cpu/tiled_step.h"
#include "kernels/cpu/variants.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

// Rung 1 of train_step, "tiled": the fused step of tiled_step.h. The rung below runs the ops one
// after another, whole matrices through memory in each.

namespace siamese {
namespace {

template <class T>
class TiledTrainStep {
 public:
  explicit TiledTrainStep(const TrainStepArgs<T>& args) : args_(args), step_(args) {}
  void run() { step_.run(args_); }

 private:
  TrainStepArgs<T> args_;
  TiledStep<T> step_;
};

template <class T>
struct RegisterTiledTraining {
  Register<TrainStepArgs<T>> train_step{{"tiled", Device::cpu, precision_of<T>, 1,
                                         any_shape<TrainStepArgs<T>>,
                                         launch_of<TiledTrainStep<T>, TrainStepArgs<T>>}};
};

const RegisterTiledTraining<float> register_float32;
const RegisterTiledTraining<double> register_float64;

}  // namespace
}  // namespace siamese
