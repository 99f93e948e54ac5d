// cublaslt_stored with each padding of hidden widths, of which a device's clock would choose one,
// and that choice on times made up.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <ostream>

#include "kernels/cublas/stored_layers.h"
#include "kernels/cublas/train_step_cublas.h"
#include "kernels/device.h"
#include "kernels/ops.h"
#include "tests/kernels/private_stream.h"
#include "verify/train.h"

namespace siamese::cublas {
namespace {

using verify::ProblemSpec;
using Trial = verify::Trial<TrainStepArgs<float>>;

using Layers = decltype(cuda::Composition::layers);

template <std::int64_t step>
cuda::LayerLaunches layers_with(const PairForwardArgs<float>& forward,
                                const PairBackwardArgs<float>& backward, Precision) {
  return plan_stored_layers(forward, backward, step);
}

struct Padding {
  std::int64_t step;
  Layers layers;
};

void PrintTo(const Padding& padding, std::ostream* out) { *out << padding.step; }

// The step that is registered, but for its padding.
Variant<TrainStepArgs<float>> step_with(const Padding& padding) {
  cuda::Composition parts = cublas_step;
  parts.layers = padding.layers;
  parts.hands_hidden = false;
  return cuda::composed_step<float>(parts, Precision::bf16);
}

class cuda_cublaslt_stored : public testing::TestWithParam<Padding> {
 protected:
  void SetUp() override {
    if (const auto reason = backend(Device::cuda).why_unavailable()) GTEST_SKIP() << *reason;
  }
};

TEST_P(cuda_cublaslt_stored, IsRightWithEachPadding) {
  const Variant<TrainStepArgs<float>> variant = step_with(GetParam());
  const PrivateStream stream(Device::cuda);
  for (const char* network : {"11-200relu-200relu-10sigmoid", "5-63relu-64tanh-3", "3-4"}) {
    for (ProblemSpec spec : {ProblemSpec::dense(33), ProblemSpec::indexed(30, 128)}) {
      SCOPED_TRACE(network);
      spec.network = Network::parse(network);
      const Trial::Problem problem(spec);
      Trial trial(problem, Device::cuda);
      trial.reset();
      const Launch launch = variant.prepare(trial.args());
      launch(stream.get());
      backend(Device::cuda).synchronize(stream.get());
      for (const ref::Comparison& comparison : trial.compare(Precision::bf16)) {
        EXPECT_TRUE(comparison.ok) << comparison.describe();
      }
    }
  }
}

// Launches are run, but their times are made up. There is nothing but shapes that a trial could
// read.
TEST_P(cuda_cublaslt_stored, TakesThePaddingThatIsFastest) {
  const Network network = Network::parse("3-5relu-2");
  const PairForwardArgs<float> forward{.network = &network, .points = 7};
  const PairBackwardArgs<float> backward{.network = &network, .points = 7};
  const PrivateStream stream(Device::cuda);
  std::size_t calls = 0;
  const auto milliseconds = [&](const Launch& launch) {
    launch(stream.get());
    backend(Device::cuda).synchronize(stream.get());
    const std::int64_t step = hidden_steps.at(calls++ % hidden_steps.size());  // they come in turns
    return step == GetParam().step ? 1.0F : 2.0F;
  };
  EXPECT_EQ(fastest_step(forward, backward, milliseconds), GetParam().step);
  EXPECT_GT(calls, hidden_steps.size());
}

INSTANTIATE_TEST_SUITE_P(train_step, cuda_cublaslt_stored,
                         testing::Values(Padding{hidden_steps[0], layers_with<hidden_steps[0]>},
                                         Padding{hidden_steps[1], layers_with<hidden_steps[1]>}));
static_assert(hidden_steps.size() == 2, "each is tested");

}  // namespace
}  // namespace siamese::cublas
