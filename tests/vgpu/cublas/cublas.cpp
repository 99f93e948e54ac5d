// Stand-ins for the calls of cuBLAS that are in use, computed by Eigen in stream order. Other calls
// are missing, so that the loader names them.
#include <cublas_v2.h>

#include <cstddef>

#include "tests/vgpu/cublas/gemm.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
};

namespace vgpu {
namespace {

Scalar scalar(cublasHandle_t handle, const void* pointer) {
  if (handle->pointer_mode == CUBLAS_POINTER_MODE_DEVICE) return {0, pointer};
  return {*static_cast<const float*>(pointer), nullptr};
}

// float32 inputs go to tensor cores as TF32 where the handle allows it.
cublasComputeType_t allowed_compute(cublasHandle_t handle, cublasComputeType_t compute,
                                    cudaDataType inputs) {
  const bool tf32 = (handle->math & 0xf) == CUBLAS_TF32_TENSOR_OP_MATH;
  return tf32 && compute == CUBLAS_COMPUTE_32F && inputs == CUDA_R_32F
             ? CUBLAS_COMPUTE_32F_FAST_TF32
             : compute;
}

struct Operand {
  const void* address;
  cudaDataType type;
  std::int64_t ld;
  long long stride;
};

cublasStatus_t gemm(cublasHandle_t handle, const char* name, cublasOperation_t transpose_a,
                    cublasOperation_t transpose_b, std::int64_t m, std::int64_t n, std::int64_t k,
                    const void* alpha, const Operand& a, const Operand& b, const void* beta,
                    const Operand& c, std::int64_t batches, cublasComputeType_t compute) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (alpha == nullptr || beta == nullptr || m < 0 || n < 0 || k < 0) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const bool plain_a = transpose_a == CUBLAS_OP_N;
  const bool plain_b = transpose_b == CUBLAS_OP_N;
  Gemm gemm;
  gemm.transpose_a = transpose_a;
  gemm.transpose_b = transpose_b;
  gemm.compute = allowed_compute(handle, compute, a.type);
  gemm.alpha = scalar(handle, alpha);
  gemm.beta = scalar(handle, beta);
  gemm.a = {a.address, a.type, plain_a ? m : k, plain_a ? k : m, a.ld};
  gemm.b = {b.address, b.type, plain_b ? k : n, plain_b ? n : k, b.ld};
  gemm.c = gemm.d = {c.address, c.type, m, n, c.ld};
  gemm.stride_a = a.stride;
  gemm.stride_b = b.stride;
  gemm.stride_c = gemm.stride_d = c.stride;
  gemm.batches = batches;
  return enqueue(gemm, handle->stream, name);
}

}  // namespace
}  // namespace vgpu

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version) {
  if (version == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *version = CUBLAS_VERSION;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (stream == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}

// No workspace is used here.
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void*, std::size_t) {
  return handle == nullptr ? CUBLAS_STATUS_NOT_INITIALIZED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (mode == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *mode = handle->math;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  handle->pointer_mode = mode;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t* mode) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (mode == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *mode = handle->pointer_mode;
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusName(cublasStatus_t status) { return vgpu::status_name(status); }
const char* cublasGetStatusString(cublasStatus_t status) { return vgpu::status_text(status); }

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transpose_a,
                              cublasOperation_t transpose_b, int m, int n, int k,
                              const float* alpha, const float* a, int lda, const float* b, int ldb,
                              const float* beta, float* c, int ldc) {
  return vgpu::gemm(handle, "cublasSgemm", transpose_a, transpose_b, m, n, k, alpha,
                    {a, CUDA_R_32F, lda, 0}, {b, CUDA_R_32F, ldb, 0}, beta, {c, CUDA_R_32F, ldc, 0},
                    1, CUBLAS_COMPUTE_32F);
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transpose_a,
                                         cublasOperation_t transpose_b, int m, int n, int k,
                                         const float* alpha, const float* a, int lda,
                                         long long stride_a, const float* b, int ldb,
                                         long long stride_b, const float* beta, float* c, int ldc,
                                         long long stride_c, int batches) {
  return vgpu::gemm(handle, "cublasSgemmStridedBatched", transpose_a, transpose_b, m, n, k, alpha,
                    {a, CUDA_R_32F, lda, stride_a}, {b, CUDA_R_32F, ldb, stride_b}, beta,
                    {c, CUDA_R_32F, ldc, stride_c}, batches, CUBLAS_COMPUTE_32F);
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transpose_a,
                            cublasOperation_t transpose_b, int m, int n, int k, const void* alpha,
                            const void* a, cudaDataType type_a, int lda, const void* b,
                            cudaDataType type_b, int ldb, const void* beta, void* c,
                            cudaDataType type_c, int ldc, cublasComputeType_t compute,
                            cublasGemmAlgo_t) {
  return vgpu::gemm(handle, "cublasGemmEx", transpose_a, transpose_b, m, n, k, alpha,
                    {a, type_a, lda, 0}, {b, type_b, ldb, 0}, beta, {c, type_c, ldc, 0}, 1,
                    compute);
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transpose_a,
                                          cublasOperation_t transpose_b, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType type_a,
                                          int lda, long long stride_a, const void* b,
                                          cudaDataType type_b, int ldb, long long stride_b,
                                          const void* beta, void* c, cudaDataType type_c, int ldc,
                                          long long stride_c, int batches,
                                          cublasComputeType_t compute, cublasGemmAlgo_t) {
  return vgpu::gemm(handle, "cublasGemmStridedBatchedEx", transpose_a, transpose_b, m, n, k, alpha,
                    {a, type_a, lda, stride_a}, {b, type_b, ldb, stride_b}, beta,
                    {c, type_c, ldc, stride_c}, batches, compute);
}

// y = alpha op(A) x + beta y. Steps backwards through x or y are not supported.
cublasStatus_t cublasSgemv_v2(cublasHandle_t handle, cublasOperation_t transpose, int m, int n,
                              const float* alpha, const float* a, int lda, const float* x, int incx,
                              const float* beta, float* y, int incy) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (incx == 0 || incy == 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (incx < 0 || incy < 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  // A vector with a step is a row of a matrix whose leading dimension is the step: y^T = x^T
  // op(A)^T.
  const bool plain = transpose == CUBLAS_OP_N;
  const int rows = plain ? m : n;
  const int columns = plain ? n : m;
  return vgpu::gemm(handle, "cublasSgemv", CUBLAS_OP_N, plain ? CUBLAS_OP_T : CUBLAS_OP_N, 1, rows,
                    columns, alpha, {x, CUDA_R_32F, incx, 0}, {a, CUDA_R_32F, lda, 0}, beta,
                    {y, CUDA_R_32F, incy, 0}, 1, CUBLAS_COMPUTE_32F);
}

}  // extern "C"
