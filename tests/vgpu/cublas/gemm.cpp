#include "tests/vgpu/cublas/gemm.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace vgpu {
namespace {

bool is_operation(cublasOperation_t operation) {
  return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

bool holds_its_columns(const DeviceMatrix& matrix) {
  return matrix.rows >= 0 && matrix.cols >= 0 &&
         matrix.ld >= std::max<std::int64_t>(1, matrix.rows);
}

bool computable(cublasComputeType_t compute, cudaDataType inputs) {
  switch (compute) {
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      return true;
    case CUBLAS_COMPUTE_32F_FAST_TF32:
    case CUBLAS_COMPUTE_32F_FAST_16BF:
    case CUBLAS_COMPUTE_32F_FAST_16F:
      return inputs == CUDA_R_32F;
    default:
      return false;
  }
}

float read_scalar(DeviceAccess& access, const Scalar& scalar) {
  if (scalar.device == nullptr) return scalar.value;
  float value = 0;
  access.read(&value, scalar.device, sizeof value);
  return value;
}

// op(A) or op(B), in the precision that the products take it in.
Eigen::MatrixXf read_operand(DeviceAccess& access, const DeviceMatrix& matrix,
                             cublasOperation_t operation, cublasComputeType_t compute) {
  Eigen::MatrixXf values = read_matrix(access, matrix);
  if (compute == CUBLAS_COMPUTE_32F_FAST_TF32) round_to_tf32(values);
  if (compute == CUBLAS_COMPUTE_32F_FAST_16BF) round_to(CUDA_R_16BF, values);
  if (compute == CUBLAS_COMPUTE_32F_FAST_16F) round_to(CUDA_R_16F, values);
  if (operation != CUBLAS_OP_N) values.transposeInPlace();
  return values;
}

// A ReLU mask in device memory, a bit an element.
class Mask {
 public:
  Mask(const Gemm& gemm, std::int64_t batch)
      : ld_(gemm.epilogue.mask_ld), bytes_(static_cast<std::size_t>(ld_ / 8 * gemm.n())) {
    address_ =
        static_cast<const std::byte*>(gemm.epilogue.mask) + batch * gemm.epilogue.mask_stride / 8;
  }

  void read(DeviceAccess& access, std::int64_t rows, std::int64_t columns) {
    for (std::int64_t c = 0; c < columns; ++c) {
      access.read(&bytes_[c * ld_ / 8], address_ + c * ld_ / 8, column_bytes(rows));
    }
  }
  void write(DeviceAccess& access, std::int64_t rows, std::int64_t columns) const {
    for (std::int64_t c = 0; c < columns; ++c) {
      access.write(const_cast<std::byte*>(address_) + c * ld_ / 8, &bytes_[c * ld_ / 8],
                   column_bytes(rows));
    }
  }
  bool get(std::int64_t row, std::int64_t column) const {
    const std::int64_t bit = row + column * ld_;
    return ((bytes_[bit / 8] >> (bit % 8)) & std::byte{1}) != std::byte{0};
  }
  void set(std::int64_t row, std::int64_t column) {
    const std::int64_t bit = row + column * ld_;
    bytes_[bit / 8] |= std::byte{1} << (bit % 8);
  }

 private:
  static std::size_t column_bytes(std::int64_t rows) {
    return static_cast<std::size_t>((rows + 7) / 8);
  }

  std::int64_t ld_;
  std::vector<std::byte> bytes_;
  const std::byte* address_ = nullptr;
};

// Relu and its derivative. NaN stays NaN in the first and is passed on where the mask's bit is set.
void apply_activation(DeviceAccess& access, const Gemm& gemm, std::int64_t batch,
                      Eigen::MatrixXf& x) {
  const Epilogue& epilogue = gemm.epilogue;
  if (epilogue.store_mask) {
    Mask mask(gemm, batch);
    for (std::int64_t column = 0; column < x.cols(); ++column) {
      for (std::int64_t row = 0; row < x.rows(); ++row) {
        if (x(row, column) > 0) mask.set(row, column);
      }
    }
    mask.write(access, x.rows(), x.cols());
  }
  if (epilogue.apply_mask) {
    Mask mask(gemm, batch);
    mask.read(access, x.rows(), x.cols());
    for (std::int64_t column = 0; column < x.cols(); ++column) {
      for (std::int64_t row = 0; row < x.rows(); ++row) {
        if (!mask.get(row, column)) x(row, column) = 0;
      }
    }
  }
  if (epilogue.relu) x = x.unaryExpr([](float value) { return value < 0 ? 0.0F : value; });
}

// cuBLASLt's kernel for these gradients writes several numbers at a time where k is large (8 bytes
// on an H100, from a k of about 17,000) and takes the pointer to be aligned. Here one that is not
// is never accepted.
void check_gradient(DeviceAccess& access, const Epilogue& epilogue, const void* address) {
  constexpr std::uintptr_t alignment = 16;
  if (!epilogue.gradient_of_a && !epilogue.gradient_of_b) return;
  if (reinterpret_cast<std::uintptr_t>(address) % alignment == 0) return;
  access.misaligned(
      fmt::format("CUBLASLT_EPILOGUE_{}: the bias gradient at {} is not aligned to {} bytes",
                  epilogue.gradient_of_a ? "BGRADA" : "BGRADB", fmt::ptr(address), alignment));
}

void compute(DeviceAccess& access, const Gemm& gemm, std::int64_t batch) {
  const Epilogue& epilogue = gemm.epilogue;
  const DeviceMatrix bias_vector = epilogue.bias_vector.moved_by(batch * epilogue.bias_stride);
  check_gradient(access, epilogue, bias_vector.address);
  const Eigen::MatrixXf a =
      read_operand(access, gemm.a.moved_by(batch * gemm.stride_a), gemm.transpose_a, gemm.compute);
  const Eigen::MatrixXf b =
      read_operand(access, gemm.b.moved_by(batch * gemm.stride_b), gemm.transpose_b, gemm.compute);
  Eigen::MatrixXf x = Eigen::MatrixXf::Zero(gemm.m(), gemm.n());
  if (gemm.k() > 0) x.noalias() = a * b;
  x *= read_scalar(access, gemm.alpha);
  const float beta = read_scalar(access, gemm.beta);
  if (beta != 0) {  // else C is not even read, so that it may hold anything
    x += beta * read_matrix(access, gemm.c.moved_by(batch * gemm.stride_c));
  }
  if (epilogue.bias) x.colwise() += read_matrix(access, bias_vector).col(0);
  apply_activation(access, gemm, batch, x);
  write_matrix(access, gemm.d.moved_by(batch * gemm.stride_d), x);
  if (epilogue.gradient_of_d) write_matrix(access, bias_vector, x.rowwise().sum());
  if (epilogue.gradient_of_a) write_matrix(access, bias_vector, a.rowwise().sum());
  if (epilogue.gradient_of_b) write_matrix(access, bias_vector, b.colwise().sum().transpose());
}

}  // namespace

cublasStatus_t check(const Gemm& gemm) {
  if (!is_operation(gemm.transpose_a) || !is_operation(gemm.transpose_b)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  for (const DeviceMatrix* matrix : {&gemm.a, &gemm.b, &gemm.c, &gemm.d}) {
    if (!holds_its_columns(*matrix)) return CUBLAS_STATUS_INVALID_VALUE;
    if (!element_bytes(matrix->type)) return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const bool plain_a = gemm.transpose_a == CUBLAS_OP_N;
  const bool plain_b = gemm.transpose_b == CUBLAS_OP_N;
  const bool shapes_agree = (plain_a ? gemm.a.rows : gemm.a.cols) == gemm.m() &&
                            (plain_b ? gemm.b.cols : gemm.b.rows) == gemm.n() &&
                            (plain_b ? gemm.b.rows : gemm.b.cols) == gemm.k() &&
                            gemm.c.rows == gemm.m() && gemm.c.cols == gemm.n();
  if (!shapes_agree || gemm.batches < 0) return CUBLAS_STATUS_INVALID_VALUE;
  const bool types_agree = gemm.a.type == gemm.b.type && gemm.c.type == gemm.d.type &&
                           (gemm.d.type == gemm.a.type || gemm.d.type == CUDA_R_32F);
  if (!types_agree || !computable(gemm.compute, gemm.a.type)) return CUBLAS_STATUS_NOT_SUPPORTED;

  const Epilogue& epilogue = gemm.epilogue;
  const bool has_bias =
      epilogue.bias || epilogue.gradient_of_a || epilogue.gradient_of_b || epilogue.gradient_of_d;
  if (has_bias && epilogue.bias_vector.address == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  // Of D's type; see CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, whose exceptions are integers and fp8.
  if (has_bias && epilogue.bias_vector.type != gemm.d.type) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (epilogue.store_mask || epilogue.apply_mask) {
    const bool aligned = reinterpret_cast<std::uintptr_t>(epilogue.mask) % 16 == 0;
    const bool fits = epilogue.mask != nullptr && aligned && epilogue.mask_ld % 128 == 0 &&
                      epilogue.mask_ld >= gemm.m() && epilogue.mask_stride % 128 == 0;
    if (!fits) return CUBLAS_STATUS_INVALID_VALUE;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t enqueue(const Gemm& gemm, cudaStream_t stream, const char* name) {
  const cublasStatus_t status = check(gemm);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  if (gemm.m() == 0 || gemm.n() == 0 || gemm.batches == 0) return CUBLAS_STATUS_SUCCESS;
  const bool has_inputs = gemm.k() == 0 || (gemm.a.address != nullptr && gemm.b.address != nullptr);
  if (!has_inputs || gemm.d.address == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const cudaError_t error = vgpuEnqueueLibraryCall(stream, name, [gemm](DeviceAccess& access) {
    for (std::int64_t batch = 0; batch < gemm.batches; ++batch) compute(access, gemm, batch);
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

namespace {

struct StatusEntry {
  cublasStatus_t status;
  const char* name;
  const char* text;
};

constexpr StatusEntry kStatuses[] = {
    {CUBLAS_STATUS_SUCCESS, "CUBLAS_STATUS_SUCCESS", "success"},
    {CUBLAS_STATUS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED", "no valid handle"},
    {CUBLAS_STATUS_ALLOC_FAILED, "CUBLAS_STATUS_ALLOC_FAILED", "out of memory"},
    {CUBLAS_STATUS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE",
     "an unsupported value or parameter"},
    {CUBLAS_STATUS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED", "the launch failed"},
    {CUBLAS_STATUS_INTERNAL_ERROR, "CUBLAS_STATUS_INTERNAL_ERROR", "internal error"},
    {CUBLAS_STATUS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED", "not supported"},
};

constexpr StatusEntry kUnknownStatus{CUBLAS_STATUS_INTERNAL_ERROR, "unknown status",
                                     "unknown status"};

const StatusEntry& find(cublasStatus_t status) {
  for (const StatusEntry& entry : kStatuses) {
    if (entry.status == status) return entry;
  }
  return kUnknownStatus;
}

}  // namespace

const char* status_name(cublasStatus_t status) { return find(status).name; }
const char* status_text(cublasStatus_t status) { return find(status).text; }

}  // namespace vgpu
