#pragma once
// What the programs share that call cuBLASLt.

#include <cublasLt.h>

#include <cstdint>

#include "tests/vgpu/programs/program.cuh"

inline void check(cublasStatus_t status,
                  const std::source_location& at = std::source_location::current()) {
  expect(status == CUBLAS_STATUS_SUCCESS, cublasLtGetStatusName(status), at);
}

// A column-major matrix of float32.
class Layout {
 public:
  Layout(int rows, int cols, int ld) {
    check(cublasLtMatrixLayoutCreate(&layout_, CUDA_R_32F, rows, cols, ld));
  }
  ~Layout() { cublasLtMatrixLayoutDestroy(layout_); }
  Layout(const Layout&) = delete;
  Layout& operator=(const Layout&) = delete;
  operator cublasLtMatrixLayout_t() const { return layout_; }

 private:
  cublasLtMatrixLayout_t layout_ = nullptr;
};

class Operation {
 public:
  explicit Operation(cublasLtEpilogue_t epilogue) {
    check(cublasLtMatmulDescCreate(&descriptor_, CUBLAS_COMPUTE_32F, CUDA_R_32F));
    set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
  }
  ~Operation() { cublasLtMatmulDescDestroy(descriptor_); }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  operator cublasLtMatmulDesc_t() const { return descriptor_; }

  template <typename T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    check(cublasLtMatmulDescSetAttribute(descriptor_, attribute, &value, sizeof value));
  }

 private:
  cublasLtMatmulDesc_t descriptor_ = nullptr;
};

// How a product went: the status, and the call that returned it.
struct Outcome {
  cublasStatus_t status;
  const char* call;
};

// Whether the product was made. Says so where it was not.
inline bool made(const Outcome& outcome, const char* what,
                 const std::source_location& at = std::source_location::current()) {
  if (outcome.status == CUBLAS_STATUS_SUCCESS) return true;
  std::fprintf(stderr, "%s:%u: %s: %s returned %s\n", at.file_name(),
               static_cast<unsigned>(at.line()), what, outcome.call,
               cublasLtGetStatusName(outcome.status));
  return false;
}

// Products on the default stream, with a workspace as large as cuBLAS recommends for an H100.
class Lt {
 public:
  Lt() : workspace_(std::size_t{32} << 20) { check(cublasLtCreate(&handle_)); }
  ~Lt() { cublasLtDestroy(handle_); }
  Lt(const Lt&) = delete;
  Lt& operator=(const Lt&) = delete;

  // D = A B with the operation's epilogue. A and D begin at multiples of 256 bytes, and B at one of
  // `alignment_b`, which the search for an algorithm is told.
  Outcome matmul(const Operation& operation, const float* a, const Layout& layout_a, const float* b,
                 const Layout& layout_b, float* d, const Layout& layout_d,
                 std::uint32_t alignment_b = 256) {
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference));
    const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, const auto& value) {
      check(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value));
    };
    prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_.size()});
    prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment_b);
    cublasLtMatmulHeuristicResult_t result{};
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        handle_, operation, layout_a, layout_b, layout_d, layout_d, preference, 1, &result, &found);
    check(cublasLtMatmulPreferenceDestroy(preference));
    if (status != CUBLAS_STATUS_SUCCESS) return {status, "cublasLtMatmulAlgoGetHeuristic"};
    const float alpha = 1;
    const float beta = 0;
    return {
        cublasLtMatmul(handle_, operation, &alpha, a, layout_a, b, layout_b, &beta, d, layout_d, d,
                       layout_d, &result.algo, workspace_.data(), workspace_.size(), nullptr),
        "cublasLtMatmul"};
  }

 private:
  cublasLtHandle_t handle_ = nullptr;
  DeviceArray<unsigned char> workspace_;
};
