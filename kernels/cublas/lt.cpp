#include "kernels/cublas/lt.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/cublas/choice.h"
#include "kernels/cublas/elementwise.h"
#include "kernels/cublas/trial.h"
#include "kernels/cuda/captured.h"
#include "kernels/cuda/launch.h"
#include "model/error.h"

namespace siamese::cublas {
namespace {

using Algorithm = cublasLtMatmulAlgo_t;

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
      : lt_(std::move(lt)), operands_(operands) {
    describe(precision, epilogue);
    lay_out(a_, operands.a.type, operands.a.rows, operands.a.columns, operands.a.pitch);
    lay_out(b_, operands.b.type, operands.b.rows, operands.b.columns, operands.b.pitch);
    lay_out(c_, operands.c.type, rows(operands), columns(operands), pitch(operands));
  }

  /// What the heuristics name, the likeliest first.
  std::vector<Algorithm> algorithms() {
    cublasLtMatmulPreferenceOpaque_t preference;
    SIAMESE_CHECK_CUBLAS(cublasLtMatmulPreferenceInit(&preference));
    set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
        static_cast<std::uint64_t>(workspace_bytes));
    // Taken to be 256 bytes unless told; weights and their gradients in the flat buffers lie
    // anywhere.
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, alignment(operands_.b.data));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, alignment(operands_.a.data));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, alignment(operands_.c.data));
    set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment(operands_.c.data));
    std::array<cublasLtMatmulHeuristicResult_t, 8> results;
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
        lt_->handle(), &description_, &b_, &a_, &c_, &c_, &preference,
        static_cast<int>(results.size()), results.data(), &found);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
    SIAMESE_CHECK_CUBLAS(status);
    std::vector<Algorithm> named;
    for (const auto& result : std::span(results).first(static_cast<std::size_t>(found))) {
      if (result.state == CUBLAS_STATUS_SUCCESS) named.push_back(result.algo);
    }
    return named;
  }

  cublasStatus_t launch(const Algorithm& algorithm, Stream stream) {
    const float one = 1.0F;
    const float zero = 0.0F;
    return cublasLtMatmul(lt_->handle(), &description_, &one, operands_.b.data, &b_,
                          operands_.a.data, &a_, &zero, operands_.c.data, &c_, operands_.c.data,
                          &c_, &algorithm, lt_->workspace(), workspace_bytes,
                          cuda::cuda_stream(stream));
  }

 private:
  void describe(Precision precision, const LtEpilogue& epilogue) {
    const cublasComputeType_t compute =
        operands_.a.type == CUDA_R_16BF ? CUBLAS_COMPUTE_32F : compute_type(precision);
    SIAMESE_CHECK_CUBLAS(cublasLtMatmulDescInit(&description_, compute, CUDA_R_32F));
    set(description_, CUBLASLT_MATMUL_DESC_TRANSA, operation(operands_.read_b));
    set(description_, CUBLASLT_MATMUL_DESC_TRANSB, operation(operands_.read_a));
    set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue.kind);
    if (epilogue.bias != nullptr) {
      set(description_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, epilogue.bias);
    }
    if (epilogue.mask != nullptr) {
      set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, epilogue.mask);
      set(description_, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, mask_bits(columns(operands_)));
    }
  }

  static void lay_out(cublasLtMatrixLayoutOpaque_t& layout, cudaDataType type, std::int64_t rows,
                      std::int64_t columns, std::int64_t pitch) {
    SIAMESE_CHECK_CUBLAS(cublasLtMatrixLayoutInit(&layout, type,
                                                  static_cast<std::uint64_t>(columns),
                                                  static_cast<std::uint64_t>(rows), pitch));
  }

  std::shared_ptr<const Lt> lt_;
  LtOperands operands_;
  cublasLtMatmulDescOpaque_t description_;
  cublasLtMatrixLayoutOpaque_t a_;
  cublasLtMatrixLayoutOpaque_t b_;
  cublasLtMatrixLayoutOpaque_t c_;
};

/// The algorithm to take, by trial: launched once each, and then timed where there is a clock.
std::optional<Algorithm> try_algorithms(const std::shared_ptr<const Lt>& lt, Precision precision,
                                        const LtOperands& operands, const LtEpilogue& epilogue) {
  constexpr int launches = 8;
  const TrialOperands trial(operands, epilogue);
  Product product(lt, precision, trial.operands(), trial.epilogue());
  const std::vector<Algorithm> algorithms = product.algorithms();
  const TrialStream stream;
  Trials trials{.candidates = algorithms.size(),
                .runs =
                    [&](std::size_t i) {
                      const cublasStatus_t status = product.launch(algorithms[i], stream.get());
                      if (status == CUBLAS_STATUS_NOT_SUPPORTED) return false;
                      SIAMESE_CHECK_CUBLAS(status);
                      backend(Device::cuda).synchronize(stream.get());
                      return true;
                    },
                .time = nullptr};
  // A few launches in a graph, so that what is timed is the device's work and not the launching.
  std::vector<Launch> graphs(algorithms.size());
  const auto time = [&](std::size_t i) {
    if (!graphs[i]) {
      graphs[i] = cuda::captured([&, i](Stream to) {
        for (int launch = 0; launch < launches; ++launch) {
          SIAMESE_CHECK_CUBLAS(product.launch(algorithms[i], to));
        }
      });
    }
    return stream.milliseconds(graphs[i]);
  };
  // The heuristics are not told how a bias is aligned, and some kernels access it 8 bytes at a time
  // (pair_backward_cublaslt.cpp): one that lies anywhere is left to the first algorithm.
  const bool any_algorithm =
      trial.epilogue().bias == nullptr || alignment(trial.epilogue().bias) >= 16;
  if (any_algorithm && stream.has_clock()) trials.time = time;
  const std::optional<std::size_t> chosen = choose(trials);
  if (!chosen) return std::nullopt;
  return algorithms[*chosen];
}

/// What an algorithm is chosen for: how A and B are read, the types of A (and B) and C, the rows
/// and columns of A and B, all pitches, and the alignments of A, B, C, bias and mask.
using Problem = std::tuple<Precision, cublasLtEpilogue_t, Read, Read, cudaDataType, cudaDataType,
                           std::array<std::int64_t, 7>, std::array<std::uint32_t, 5>>;

std::optional<Algorithm> find_algorithm(const std::shared_ptr<const Lt>& lt, Precision precision,
                                        const LtOperands& operands, const LtEpilogue& epilogue) {
  static Findings<Problem, std::optional<Algorithm>> findings;
  const Problem problem{
      precision,
      epilogue.kind,
      operands.read_a,
      operands.read_b,
      operands.a.type,
      operands.c.type,
      {operands.a.rows, operands.a.columns, operands.a.pitch, operands.b.rows, operands.b.columns,
       operands.b.pitch, pitch(operands)},
      {alignment(operands.a.data), alignment(operands.b.data), alignment(operands.c.data),
       alignment(epilogue.bias), alignment(epilogue.mask)}};
  return findings.get(problem, [&] { return try_algorithms(lt, precision, operands, epilogue); });
}

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
  const std::optional<Algorithm> algorithm = find_algorithm(lt, precision, operands, epilogue);
  if (!algorithm) return std::nullopt;
  const auto product = std::make_shared<Product>(std::move(lt), precision, operands, epilogue);
  return [product, algorithm = *algorithm](Stream stream) {
    SIAMESE_CHECK_CUBLAS(product->launch(algorithm, stream));
  };
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
