#include "bench/cublas_version.h"
#include "bench/cuda_ceilings.h"
#include "bench/timing.h"
#include "model/error.h"

namespace siamese::bench {
namespace {

[[noreturn]] void fail() {
  throw Failure(
      "built without CUDA, which has no device clock; expected a build with nvcc on the PATH");
}

}  // namespace

std::unique_ptr<Stopwatch> make_cuda_stopwatch() { fail(); }

CudaCeilings measure_cuda_ceilings() { fail(); }

std::string cublas_version() { return "none"; }

}  // namespace siamese::bench
