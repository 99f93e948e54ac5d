#include "kernels/cublas/blas.h"

#include <fmt/format.h>

#include <cstdio>
#include <limits>

#include "kernels/cuda/launch.h"
#include "model/error.h"

namespace siamese::cublas {
namespace {

int narrow(std::int64_t size) { return static_cast<int>(size); }  // why_too_many has looked

}  // namespace

cublasComputeType_t compute_type(Precision precision) {
  switch (precision) {
    case Precision::float32:
      return CUBLAS_COMPUTE_32F_PEDANTIC;
    case Precision::tf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Precision::bf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
      throw UsageError(fmt::format("cublas: no products in {} here", name(precision)));
  }
}

void check(cublasStatus_t status, const char* call, const char* file, int line) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Failure(fmt::format("cublas: {}: {} ({}), at {}:{}", call, cublasGetStatusName(status),
                            cublasGetStatusString(status), file, line));
}

Blas::Blas(Precision precision) : compute_(compute_type(precision)) {
  SIAMESE_CHECK_CUBLAS(cublasCreate(&handle_));
}

Blas::~Blas() {
  const cublasStatus_t status = cublasDestroy(handle_);
  if (status != CUBLAS_STATUS_SUCCESS) {
    std::fprintf(stderr, "cublas: cublasDestroy: %s\n", cublasGetStatusName(status));
  }
}

void Blas::set_stream(Stream stream) const {
  SIAMESE_CHECK_CUBLAS(cublasSetStream(handle_, cuda::cuda_stream(stream)));
  // A change of stream takes the workspace away, so it is given anew.
  SIAMESE_CHECK_CUBLAS(cublasSetWorkspace(handle_, workspace_.data(), workspace_bytes));
}

// cuBLAS is column-major: it sees the transpose of each of our matrices, and C^T = B^T A^T.
void Blas::multiply(const Matrix& a, Read read_a, const Matrix& b, Read read_b, float* c) const {
  const std::int64_t rows = read_a == Read::plain ? a.rows : a.columns;
  const std::int64_t depth = read_a == Read::plain ? a.columns : a.rows;
  const std::int64_t columns = read_b == Read::plain ? b.columns : b.rows;
  const float one = 1.0F;
  const float zero = 0.0F;
  SIAMESE_CHECK_CUBLAS(cublasGemmEx(handle_, operation(read_b), operation(read_a), narrow(columns),
                                    narrow(rows), narrow(depth), &one, b.data, CUDA_R_32F,
                                    narrow(b.columns), a.data, CUDA_R_32F, narrow(a.columns), &zero,
                                    c, CUDA_R_32F, narrow(columns), compute_, CUBLAS_GEMM_DEFAULT));
}

void Blas::sum_columns(const Matrix& a, const float* ones, float* sums) const {
  const float one = 1.0F;
  const float zero = 0.0F;
  SIAMESE_CHECK_CUBLAS(cublasSgemv(handle_, CUBLAS_OP_N, narrow(a.columns), narrow(a.rows), &one,
                                   a.data, narrow(a.columns), ones, 1, &zero, sums, 1));
}

std::optional<std::string> why_too_many(std::int64_t points) {
  if (points <= std::numeric_limits<int>::max()) return std::nullopt;
  return fmt::format("{} points; cuBLAS's sizes end at {}", points,
                     std::numeric_limits<int>::max());
}

}  // namespace siamese::cublas
