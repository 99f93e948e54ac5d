#pragma once

#include <cublas_api.h>
#include <driver_types.h>

#include <cstdint>

#include "tests/vgpu/cublas/matrix.h"

namespace vgpu {

// What is done to a product before it is stored; see cublasLtEpilogue_t. Matrices are [m, n].
struct Epilogue {
  bool bias = false;           // add bias[row]
  bool relu = false;           // x > 0 ? x : 0
  bool store_mask = false;     // of relu: one bit an element, 1 where x > 0
  bool apply_mask = false;     // relu's derivative: 0 where the stored bit is 0
  bool gradient_of_d = false;  // bias[row] = sum of the stored row
  bool gradient_of_a = false;  // bias[row] = sum of op(A)'s row
  bool gradient_of_b = false;  // bias[column] = sum of op(B)'s column

  DeviceMatrix bias_vector;
  std::int64_t bias_stride = 0;  // elements from one batch's bias to the next
  const void* mask = nullptr;    // bit `row + column * mask_ld`, low bits of a byte first
  std::int64_t mask_ld = 0;      // bits
  std::int64_t mask_stride = 0;  // bits from one batch's mask to the next
};

// One number: the host's, read at the call, or one in device memory, read when the work runs.
struct Scalar {
  float value = 0;
  const void* device = nullptr;
};

// D = epilogue(alpha op(A) op(B) + beta C), for each of `batches`. Numbers are summed in float32.
struct Gemm {
  cublasOperation_t transpose_a = CUBLAS_OP_N;
  cublasOperation_t transpose_b = CUBLAS_OP_N;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  Scalar alpha, beta;
  DeviceMatrix a, b, c, d;  // as stored, of the first batch
  std::int64_t stride_a = 0, stride_b = 0, stride_c = 0, stride_d = 0;  // elements
  std::int64_t batches = 1;
  Epilogue epilogue;

  std::int64_t m() const { return d.rows; }
  std::int64_t n() const { return d.cols; }
  std::int64_t k() const { return transpose_a == CUBLAS_OP_N ? a.cols : a.rows; }
};

// Whether the shapes agree, leading dimensions hold their columns and the types can be computed:
// success, CUBLAS_STATUS_INVALID_VALUE or CUBLAS_STATUS_NOT_SUPPORTED.
cublasStatus_t check(const Gemm& gemm);

// Checks it and puts it into the stream.
cublasStatus_t enqueue(const Gemm& gemm, cudaStream_t stream, const char* name);

// The status's enumerator, and what it means in a few words.
const char* status_name(cublasStatus_t status);
const char* status_text(cublasStatus_t status);

}  // namespace vgpu
