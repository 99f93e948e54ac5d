#include "bench/timing.h"
#include "model/error.h"

namespace siamese::bench {

std::unique_ptr<Stopwatch> make_cuda_stopwatch() {
  throw Failure(
      "built without CUDA, which has no device clock; expected a build with nvcc on the PATH");
}

}  // namespace siamese::bench
