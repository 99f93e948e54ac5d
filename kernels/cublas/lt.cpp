#include "kernels/cublas/lt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "kernels/cublas/elementwise.h"
#include "kernels/cuda/launch.h"
#include "model/error.h"

namespace siamese::cublas {
namespace {

/// cuBLASLt takes operands to be aligned to 256 bytes unless it is told; weights and biases in the
/// flat buffer lie anywhere.
std::uint32_t alignment(const void* address) {
  const auto number = reinterpret_cast<std::uintptr_t>(address);
  return static_cast<std::uint32_t>(std::min<std::uintptr_t>(256, number & (~number + 1)));
}

template <class T>
void set(cublasLtMatmulDescOpaque_t& description, cublasLtMatmulDescAttributes_t attribute,
         const T& value) {
  SIAMESE_CHECK_CUBLAS(
      cublasLtMatmulDescSetAttribute(&description, attribute, &value, sizeof value));
}
template <class T>
void set(cublasLtMatmulPreferenceOpaque_t& preference,
         cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
  SIAMESE_CHECK_CUBLAS(
      cublasLtMatmulPreferenceSetAttribute(&preference, attribute, &value, sizeof value));
}

/// A product as cuBLASLt is told of it. It is column-major and sees the transpose of each of our
/// matrices, and C^T = B^T A^T: what it calls A is our B.
class Product {
 public:
  Product(std::shared_ptr<const Lt> lt, Precision precision, const LtOperands& operands,
          const LtEpilogue& epilogue)
      : lt_(std::move(lt)),
        operands_(operands),
        rows_(operands.read_a == Read::plain ? operands.a.rows : operands.a.columns),
        columns_(operands.read_b == Read::plain ? operands.b.columns : operands.b.rows) {
    describe(precision, epilogue);
    lay_out(a_, operands.a.rows, operands.a.columns);
    lay_out(b_, operands.b.rows, operands.b.columns);
    lay_out(c_, rows_, columns_);
    choose_algorithm();
  }

  bool has_algorithm() const { return has_algorithm_; }

  void launch(Stream stream) {
    const float one = 1.0F;
    const float zero = 0.0F;
    SIAMESE_CHECK_CUBLAS(cublasLtMatmul(lt_->handle(), &description_, &one, operands_.b.data, &b_,
                                        operands_.a.data, &a_, &zero, operands_.c, &c_, operands_.c,
                                        &c_, &algorithm_, lt_->workspace(), workspace_bytes,
                                        cuda::cuda_stream(stream)));
  }

 private:
  void describe(Precision precision, const LtEpilogue& epilogue) {
    SIAMESE_CHECK_CUBLAS(
        cublasLtMatmulDescInit(&description_, compute_type(precision), CUDA_R_32F));
    set(description_, CUBLASLT_MATMUL_DESC_TRANSA, operation(operands_.read_b));
    set(description_, CUBLASLT_MATMUL_DESC_TRANSB, operation(operands_.read_a));
    set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue.kind);
    if (epilogue.bias != nullptr) {
      set(description_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, epilogue.bias);
    }
    if (epilogue.mask != nullptr) {
      set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, epilogue.mask);
      set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, mask_bits(columns_));
    }
  }

  static void lay_out(cublasLtMatrixLayoutOpaque_t& layout, std::int64_t rows,
                      std::int64_t columns) {
    SIAMESE_CHECK_CUBLAS(cublasLtMatrixLayoutInit(&layout, CUDA_R_32F,
                                                  static_cast<std::uint64_t>(columns),
                                                  static_cast<std::uint64_t>(rows), columns));
  }

  void choose_algorithm() {
    cublasLtMatmulPreferenceOpaque_t preference;
    SIAMESE_CHECK_CUBLAS(cublasLtMatmulPreferenceInit(&preference));
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        static_cast<std::uint64_t>(workspace_bytes));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(operands_.b.data));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(operands_.a.data));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(operands_.c));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(operands_.c));
    cublasLtMatmulHeuristicResult_t first;
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        lt_->handle(), &description_, &b_, &a_, &c_, &c_, &preference, 1, &first, &found);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return;
    SIAMESE_CHECK_CUBLAS(status);
    has_algorithm_ = found > 0 && first.state == CUBLAS_STATUS_SUCCESS;
    if (has_algorithm_) algorithm_ = first.algo;
  }

  std::shared_ptr<const Lt> lt_;
  LtOperands operands_;
  std::int64_t rows_;
  std::int64_t columns_;
  cublasLtMatmulDescOpaque_t description_;
  cublasLtMatrixLayoutOpaque_t a_;
  cublasLtMatrixLayoutOpaque_t b_;
  cublasLtMatrixLayoutOpaque_t c_;
  cublasLtMatmulAlgo_t algorithm_;
  bool has_algorithm_ = false;
};

}  // namespace

Lt::Lt() { SIAMESE_CHECK_CUBLAS(cublasLtCreate(&handle_)); }

Lt::~Lt() {
  const cublasStatus_t status = cublasLtDestroy(handle_);
  if (status != CUBLAS_STATUS_SUCCESS) {
    std::fprintf(stderr, "cublas: cublasLtDestroy: %d\n", static_cast<int>(status));
  }
}

std::optional<Launch> find_product(std::shared_ptr<const Lt> lt, Precision precision,
                                   const LtOperands& operands, const LtEpilogue& epilogue) {
  const auto product = std::make_shared<Product>(std::move(lt), precision, operands, epilogue);
  if (!product->has_algorithm()) return std::nullopt;
  return [product](Stream stream) { product->launch(stream); };
}

Launch plan_product(std::shared_ptr<const Lt> lt, Precision precision, const LtOperands& operands,
                    const LtEpilogue& epilogue) {
  if (auto product = find_product(std::move(lt), precision, operands, epilogue)) return *product;
  throw Failure(
      fmt::format("cublaslt: no algorithm for A [{}, {}] B [{}, {}] in {} with epilogue {}",
                  operands.a.rows, operands.a.columns, operands.b.rows, operands.b.columns,
                  name(precision), static_cast<int>(epilogue.kind)));
}

}  // namespace siamese::cublas
