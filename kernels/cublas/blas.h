#pragma once

#include <cublas_v2.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "kernels/device.h"
#include "kernels/variant.h"

namespace siamese::cublas {

/// Throws Failure with one line - the call, the status's number, file and line - unless all is
/// well.
void check(cublasStatus_t status, const char* call, const char* file, int line);

/// float32 is pedantic, never TF32. Throws UsageError for a precision that cuBLAS has no products
/// in.
cublasComputeType_t compute_type(Precision precision);

/// What a handle may use besides operands and results: what NVIDIA advises for Hopper.
inline constexpr std::size_t workspace_bytes = std::size_t{32} << 20;

/// So much memory of the CUDA device. Not poisoned as our own buffers are: what the library reads
/// there is not ours to check, and on the virtual GPU poisoning took longer than a small product.
class Scratch {
 public:
  Scratch() : data_(backend(Device::cuda).allocate(static_cast<std::int64_t>(workspace_bytes))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { backend(Device::cuda).release(data_); }

  void* data() const { return data_; }

 private:
  void* data_;
};

/// Whether a product's operand is read as it lies in memory or transposed.
enum class Read { plain, transposed };

inline cublasOperation_t operation(Read read) {
  return read == Read::plain ? CUBLAS_OP_N : CUBLAS_OP_T;
}

/// A row-major matrix [rows, columns].
struct Matrix {
  const float* data;
  std::int64_t rows;
  std::int64_t columns;
};

/// A handle of cuBLAS with a workspace of its own, so that calls allocate nothing and repeat to the
/// last bit, for products in one precision.
class Blas {
 public:
  explicit Blas(Precision precision);
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;
  ~Blas();

  /// The calls that follow go to this stream.
  void set_stream(Stream stream) const;

  /// C = A B, row-major, where A and B are read as told.
  void multiply(const Matrix& a, Read read_a, const Matrix& b, Read read_b, float* c) const;

  /// sums [columns] = the column sums of A, by a product with `ones` [rows].
  void sum_columns(const Matrix& a, const float* ones, float* sums) const;

 private:
  Scratch workspace_;
  cublasComputeType_t compute_;
  cublasHandle_t handle_ = nullptr;
};

/// Why cuBLAS's 32-bit sizes cannot take this many points; nothing where they can.
std::optional<std::string> why_too_many(std::int64_t points);

}  // namespace siamese::cublas

// A macro, for only it knows the text and the place of the call.
#define SIAMESE_CHECK_CUBLAS(call) ::siamese::cublas::check((call), #call, __FILE__, __LINE__)
