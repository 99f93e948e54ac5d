#include "tests/vgpu/cublas/matrix.h"

#include <bit>
#include <cmath>
#include <vector>

namespace vgpu {
namespace {

template <typename Element>
Eigen::MatrixXf read_as(DeviceAccess& access, const DeviceMatrix& matrix) {
  Eigen::MatrixXf values(matrix.rows, matrix.cols);
  Eigen::Matrix<Element, Eigen::Dynamic, 1> column(matrix.rows);
  const auto* address = static_cast<const Element*>(matrix.address);
  for (std::int64_t c = 0; c < matrix.cols; ++c) {
    access.read(column.data(), address + c * matrix.ld, sizeof(Element) * matrix.rows);
    values.col(c) = column.template cast<float>();
  }
  return values;
}

template <typename Element>
void write_as(DeviceAccess& access, const DeviceMatrix& matrix, const Eigen::MatrixXf& values) {
  auto* address = const_cast<Element*>(static_cast<const Element*>(matrix.address));
  Eigen::Matrix<Element, Eigen::Dynamic, 1> column(matrix.rows);
  for (std::int64_t c = 0; c < matrix.cols; ++c) {
    column = values.col(c).template cast<Element>();
    access.write(address + c * matrix.ld, column.data(), sizeof(Element) * matrix.rows);
  }
}

float tf32(float value) {
  if (!std::isfinite(value)) return value;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return std::bit_cast<float>((bits + 0x1000U) & ~0x1fffU);
}

}  // namespace

std::optional<std::size_t> element_bytes(cudaDataType type) {
  switch (type) {
    case CUDA_R_32F:
      return 4;
    case CUDA_R_16BF:
    case CUDA_R_16F:
      return 2;
    default:
      return {};
  }
}

DeviceMatrix DeviceMatrix::moved_by(std::int64_t elements) const {
  DeviceMatrix moved = *this;
  moved.address = static_cast<const std::byte*>(address) +
                  elements * static_cast<std::int64_t>(element_bytes(type).value());
  return moved;
}

Eigen::MatrixXf read_matrix(DeviceAccess& access, const DeviceMatrix& matrix) {
  if (matrix.type == CUDA_R_16BF) return read_as<Eigen::bfloat16>(access, matrix);
  if (matrix.type == CUDA_R_16F) return read_as<Eigen::half>(access, matrix);
  return read_as<float>(access, matrix);
}

void write_matrix(DeviceAccess& access, const DeviceMatrix& matrix, const Eigen::MatrixXf& values) {
  if (matrix.type == CUDA_R_16BF) {
    write_as<Eigen::bfloat16>(access, matrix, values);
  } else if (matrix.type == CUDA_R_16F) {
    write_as<Eigen::half>(access, matrix, values);
  } else {
    write_as<float>(access, matrix, values);
  }
}

void round_to_tf32(Eigen::MatrixXf& values) { values = values.unaryExpr(&tf32); }

void round_to(cudaDataType type, Eigen::MatrixXf& values) {
  if (type == CUDA_R_16BF) values = values.cast<Eigen::bfloat16>().cast<float>();
  if (type == CUDA_R_16F) values = values.cast<Eigen::half>().cast<float>();
}

}  // namespace vgpu
