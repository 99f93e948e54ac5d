#pragma once

#include <cublasLt.h>
#include <cuda_bf16.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "kernels/cublas/blas.h"
#include "kernels/device.h"
#include "kernels/variant.h"

namespace siamese::cublas {

/// A handle of cuBLASLt, and a workspace that its products use one after another.
class Lt {
 public:
  Lt();
  Lt(const Lt&) = delete;
  Lt& operator=(const Lt&) = delete;
  ~Lt();

  cublasLtHandle_t handle() const { return handle_; }
  void* workspace() const { return workspace_.data(); }

 private:
  Scratch workspace_;
  cublasLtHandle_t handle_ = nullptr;
};

/// A row-major matrix [rows, columns] that a product reads: of float32, row after row, or of bf16,
/// whose rows begin `pitch` elements apart.
struct LtMatrix {
  LtMatrix(const float* data, std::int64_t rows, std::int64_t columns)
      : data(data), type(CUDA_R_32F), rows(rows), columns(columns), pitch(columns) {}
  LtMatrix(const __nv_bfloat16* data, std::int64_t rows, std::int64_t columns, std::int64_t pitch)
      : data(data), type(CUDA_R_16BF), rows(rows), columns(columns), pitch(pitch) {}

  const void* data;
  cudaDataType type;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t pitch;
};

/// Where a product goes, row-major, its rows `pitch` elements apart; 0 stands for row after row.
/// bf16 only where A and B are.
struct LtResult {
  LtResult(float* data, std::int64_t pitch = 0) : data(data), type(CUDA_R_32F), pitch(pitch) {}
  LtResult(__nv_bfloat16* data, std::int64_t pitch) : data(data), type(CUDA_R_16BF), pitch(pitch) {}

  void* data;
  cudaDataType type;
  std::int64_t pitch;
};

/// C = A B, where A and B are of one type and read as told.
struct LtOperands {
  LtMatrix a;
  Read read_a;
  LtMatrix b;
  Read read_b;
  LtResult c;
};

/// C is [rows, columns].
inline std::int64_t rows(const LtOperands& operands) {
  return operands.read_a == Read::plain ? operands.a.rows : operands.a.columns;
}
inline std::int64_t columns(const LtOperands& operands) {
  return operands.read_b == Read::plain ? operands.b.columns : operands.b.rows;
}
inline std::int64_t pitch(const LtOperands& operands) {
  return operands.c.pitch == 0 ? columns(operands) : operands.c.pitch;
}

/// What cuBLASLt does besides, in the same launch.
struct LtEpilogue {
  cublasLtEpilogue_t kind = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;     ///< [columns] of C's type, read, or written where it is summed
  std::uint32_t* mask = nullptr;  ///< as launch_positive_mask leaves it, of C's shape;
                                  ///< written by RELU_AUX, else read
};

/// Plans a product once for its operands and returns what puts it on a stream; nothing where
/// cuBLASLt has none. Of the algorithms that the heuristics name it takes the one that a trial on
/// this device, with operands of its own, finds fastest, as a tuned caller does. The choice holds
/// for the process: there plans of the same shapes and alignments leave the same bits, but the next
/// process may choose otherwise. Not to be called while this thread captures a stream.
std::optional<Launch> find_product(std::shared_ptr<const Lt> lt, Precision precision,
                                   const LtOperands& operands, const LtEpilogue& epilogue);

/// The same; throws Failure where there is none.
Launch plan_product(std::shared_ptr<const Lt> lt, Precision precision, const LtOperands& operands,
                    const LtEpilogue& epilogue);

}  // namespace siamese::cublas
