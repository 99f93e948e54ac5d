#include "bench/cublas_version.h"

#include <cublas_v2.h>
#include <fmt/format.h>

#include "kernels/cublas/blas.h"

namespace siamese::bench {

std::string cublas_version() {
  int major = 0;
  int minor = 0;
  int patch = 0;
  SIAMESE_CHECK_CUBLAS(cublasGetProperty(MAJOR_VERSION, &major));
  SIAMESE_CHECK_CUBLAS(cublasGetProperty(MINOR_VERSION, &minor));
  SIAMESE_CHECK_CUBLAS(cublasGetProperty(PATCH_LEVEL, &patch));
  return fmt::format("{}.{}.{}", major, minor, patch);
}

}  // namespace siamese::bench
