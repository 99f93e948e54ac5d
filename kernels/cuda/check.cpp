#include "kernels/cuda/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "model/error.h"

namespace siamese::cuda {
namespace {

std::string describe(cudaError_t code, const char* call, const char* file, int line) {
  return fmt::format("cuda: {}: {} ({}), at {}:{}", call, cudaGetErrorName(code),
                     cudaGetErrorString(code), file, line);
}

}  // namespace

void check(cudaError_t code, const char* call, const char* file, int line) {
  if (code == cudaSuccess) return;
  cudaGetLastError();
  throw Failure(describe(code, call, file, line));
}

void report(cudaError_t code, const char* call, const char* file, int line) noexcept {
  if (code == cudaSuccess) return;
  cudaGetLastError();
  std::fprintf(stderr, "%s\n", describe(code, call, file, line).c_str());
}

}  // namespace siamese::cuda
