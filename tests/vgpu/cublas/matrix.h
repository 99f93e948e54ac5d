#pragma once

#include <library_types.h>

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "tests/vgpu/runtime/library_call.h"

namespace vgpu {

// Bytes of an element; nothing for the types that the stand-ins do not compute with. They do with
// CUDA_R_32F, CUDA_R_16BF and CUDA_R_16F.
std::optional<std::size_t> element_bytes(cudaDataType type);

// A column-major matrix in device memory; or a column of numbers, with ld = rows and cols = 1.
struct DeviceMatrix {
  const void* address = nullptr;
  cudaDataType type = CUDA_R_32F;
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t ld = 0;  // elements from column to column

  // The same, `elements` further on.
  DeviceMatrix moved_by(std::int64_t elements) const;
};

// Its values as float32.
Eigen::MatrixXf read_matrix(DeviceAccess& access, const DeviceMatrix& matrix);

// Writes the values, rounded to nearest even in the matrix's type.
void write_matrix(DeviceAccess& access, const DeviceMatrix& matrix, const Eigen::MatrixXf& values);

// Rounds each value as tensor cores take their inputs: to 10 bits of mantissa, ties away from zero.
void round_to_tf32(Eigen::MatrixXf& values);

// Rounds each value to nearest even in a 16-bit type.
void round_to(cudaDataType type, Eigen::MatrixXf& values);

}  // namespace vgpu
