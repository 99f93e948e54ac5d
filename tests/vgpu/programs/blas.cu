// The calls of cuBLAS and cuBLASLt that the CUDA kernels are compared with: operands in all
// orientations with padded leading dimensions, precisions, batches, epilogues, and what is refused.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>
#include <limits>

#include "tests/vgpu/programs/program.cuh"

__global__ void scale(int n, float factor, float* x) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= factor;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

void check(cublasStatus_t status,
           const std::source_location& at = std::source_location::current()) {
  expect(status == CUBLAS_STATUS_SUCCESS, cublasGetStatusName(status), at);
}

// A column-major matrix with `ld` elements from column to column; what lies between is NaN.
struct Matrix {
  int rows, cols, ld;
  std::vector<float> values;

  Matrix(int rows, int cols, unsigned seed, int padding = 3)
      : rows(rows),
        cols(cols),
        ld(rows + padding),
        values(static_cast<std::size_t>(ld) * cols, kNan) {
    const std::vector<float> random = random_values(static_cast<std::size_t>(rows) * cols, seed);
    for (int c = 0; c < cols; ++c) {
      for (int r = 0; r < rows; ++r) at(r, c) = random[c * rows + r];
    }
  }
  float& at(int r, int c) { return values[static_cast<std::size_t>(c) * ld + r]; }
  float at(int r, int c) const { return values[static_cast<std::size_t>(c) * ld + r]; }
  float op(bool transposed, int r, int c) const { return transposed ? at(c, r) : at(r, c); }
};

float to_tf32(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  bits = (bits + 0x1000U) & ~0x1fffU;
  std::memcpy(&value, &bits, sizeof bits);
  return value;
}

// alpha op(A) op(B) + beta C in double, every input rounded by `round` first.
template <typename Round>
Matrix product(float alpha, const Matrix& a, bool ta, const Matrix& b, bool tb, float beta,
               const Matrix& c, Round&& round) {
  Matrix d = c;
  const int k = ta ? a.rows : a.cols;
  for (int col = 0; col < c.cols; ++col) {
    for (int row = 0; row < c.rows; ++row) {
      double sum = 0;
      for (int i = 0; i < k; ++i) {
        sum += static_cast<double>(round(a.op(ta, row, i))) * round(b.op(tb, i, col));
      }
      d.at(row, col) = static_cast<float>(
          alpha * sum + (beta == 0 ? 0.0 : static_cast<double>(beta) * c.at(row, col)));
    }
  }
  return d;
}

// Compares the elements, and that the padding was left alone.
void expect_matrix(const std::vector<float>& got, const Matrix& want, double tolerance,
                   const std::source_location& at = std::source_location::current()) {
  for (int c = 0; c < want.cols; ++c) {
    for (int r = 0; r < want.ld; ++r) {
      const float value = got[static_cast<std::size_t>(c) * want.ld + r];
      if (r >= want.rows) {
        expect(std::isnan(value), "padding that is still NaN", at);
      } else {
        const double difference = std::fabs(value - want.at(r, c));
        expect(difference <= tolerance, "the product within its tolerance", at);
      }
    }
  }
}

void test_sgemm(cublasHandle_t handle) {
  constexpr int m = 13;
  constexpr int n = 7;
  constexpr int k = 21;
  const auto exact = [](float value) { return value; };
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      for (const float beta : {0.0F, 0.5F}) {
        const Matrix a = ta ? Matrix(k, m, 1) : Matrix(m, k, 1);
        const Matrix b = tb ? Matrix(n, k, 2) : Matrix(k, n, 2);
        Matrix c(m, n, 3);
        DeviceArray<float> device_a(a.values), device_b(b.values);
        if (beta == 0) {
          for (int col = 0; col < n; ++col) {
            for (int row = 0; row < m; ++row) c.at(row, col) = kNan;  // must not be read
          }
        }
        DeviceArray<float> device_c(c.values);
        const float alpha = 1.5F;
        check(cublasSgemm(handle, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N, m,
                          n, k, &alpha, device_a.data(), a.ld, device_b.data(), b.ld, &beta,
                          device_c.data(), c.ld));
        expect_matrix(device_c.values(), product(alpha, a, ta, b, tb, beta, c, exact), 1e-5);
      }
    }
  }
}

// TF32 only where it was asked for, and then visibly.
void test_tf32(cublasHandle_t handle) {
  const Matrix a(16, 32, 1), b(32, 8, 2), c(16, 8, 3);
  DeviceArray<float> device_a(a.values), device_b(b.values), device_c(c.values);
  const float alpha = 1;
  const float beta = 0;
  const auto run = [&] {
    check(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 16, 8, 32, &alpha, device_a.data(), a.ld,
                      device_b.data(), b.ld, &beta, device_c.data(), c.ld));
    return device_c.values();
  };
  const Matrix rounded = product(1, a, false, b, false, 0, c, to_tf32);
  const Matrix exact = product(1, a, false, b, false, 0, c, [](float value) { return value; });
  expect_matrix(run(), exact, 2e-6);
  check(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH));
  const std::vector<float> got = run();
  expect_matrix(got, rounded, 2e-6);
  double distance = 0;
  for (int col = 0; col < 8; ++col) {
    for (int row = 0; row < 16; ++row) {
      distance = std::max<double>(distance, std::fabs(rounded.at(row, col) - exact.at(row, col)));
    }
  }
  expect(distance > 1e-4, "TF32 to differ from float32");
  check(cublasSetMathMode(handle, CUBLAS_DEFAULT_MATH));
}

void test_bf16_batches(cublasHandle_t handle) {
  constexpr int m = 5;
  constexpr int n = 6;
  constexpr int k = 8;
  constexpr int batches = 3;
  const std::vector<float> random = random_values((m * k + k * n) * batches, 4);
  std::vector<__nv_bfloat16> a, b;
  for (int i = 0; i < m * k * batches; ++i) a.push_back(__float2bfloat16(random[i]));
  for (int i = 0; i < k * n * batches; ++i) {
    b.push_back(__float2bfloat16(random[m * k * batches + i]));
  }
  std::vector<double> want;
  for (int batch = 0; batch < batches; ++batch) {
    for (int col = 0; col < n; ++col) {
      for (int row = 0; row < m; ++row) {
        double sum = 0;
        for (int i = 0; i < k; ++i) {
          sum += static_cast<double>(__bfloat162float(a[batch * m * k + i * m + row])) *
                 __bfloat162float(b[batch * k * n + col * k + i]);
        }
        want.push_back(sum);
      }
    }
  }
  DeviceArray<__nv_bfloat16> device_a(a), device_b(b);
  DeviceArray<float> c(m * n * batches);
  const float alpha = 1;
  const float beta = 0;
  check(cublasGemmStridedBatchedEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &alpha,
                                   device_a.data(), CUDA_R_16BF, m, m * k, device_b.data(),
                                   CUDA_R_16BF, k, k * n, &beta, c.data(), CUDA_R_32F, m, m * n,
                                   batches, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
  expect_close(c.values(), want, 1e-5);
}

void test_sgemv(cublasHandle_t handle) {
  const Matrix a(6, 4, 1);
  const std::vector<float> x = random_values(12, 2);
  const std::vector<float> y = random_values(12, 3);
  DeviceArray<float> device_a(a.values), device_x(x);
  for (const bool transposed : {false, true}) {
    DeviceArray<float> device_y(y);
    const float alpha = 2;
    const float beta = -1;
    check(cublasSgemv(handle, transposed ? CUBLAS_OP_T : CUBLAS_OP_N, 6, 4, &alpha, device_a.data(),
                      a.ld, device_x.data(), 2, &beta, device_y.data(), 2));
    std::vector<double> want(y.begin(), y.end());
    for (int row = 0; row < (transposed ? 4 : 6); ++row) {
      double sum = 0;
      for (int i = 0; i < (transposed ? 6 : 4); ++i)
        sum += static_cast<double>(a.op(transposed, row, i)) * x[2 * i];
      want[2 * row] = 2 * sum - y[2 * row];
    }
    expect_close(device_y.values(), want, 1e-5);
  }
}

// In its turn between kernels, and in a captured graph.
void test_order(cublasHandle_t handle) {
  cudaStream_t stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check(cublasSetStream(handle, stream));
  DeviceArray<float> a(std::vector<float>(16, 1.0F)), c(std::vector<float>(16, 0.0F));
  check(cudaDeviceSynchronize());
  const float alpha = 1;
  const float beta = 1;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  scale<<<1, 16, 0, stream>>>(16, 2.0F, a.data());
  check_launch();
  check(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &alpha, a.data(), 4, a.data(), 4,
                    &beta, c.data(), 4));
  scale<<<1, 16, 0, stream>>>(16, 0.5F, c.data());
  check_launch();
  check(cudaStreamEndCapture(stream, &graph));
  check(cudaGraphInstantiate(&executable, graph, 0));
  for (int launch = 0; launch < 2; ++launch) check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  // First launch: a = 2, c = 4 * 4 / 2 = 8. Second: a = 4, c = (8 + 4 * 16) / 2 = 36.
  expect_close(c.values(), std::vector<float>(16, 36.0F), 0);
  check(cudaGraphExecDestroy(executable));
  check(cudaGraphDestroy(graph));
  check(cublasSetStream(handle, nullptr));
  check(cudaStreamDestroy(stream));
}

void test_refusals(cublasHandle_t handle) {
  DeviceArray<float> x(std::vector<float>(64, 1.0F));
  const float one = 1;
  const auto sgemm = [&](cublasHandle_t h, int m, int lda, const float* alpha) {
    return cublasSgemm(h, CUBLAS_OP_N, CUBLAS_OP_N, m, 4, 4, alpha, x.data(), lda, x.data(), 4,
                       &one, x.data(), std::max(m, 1));
  };
  expect(sgemm(nullptr, 4, 4, &one) == CUBLAS_STATUS_NOT_INITIALIZED, "no handle to be refused");
  expect(sgemm(handle, -1, 4, &one) == CUBLAS_STATUS_INVALID_VALUE, "-1 rows to be refused");
  expect(sgemm(handle, 4, 3, &one) == CUBLAS_STATUS_INVALID_VALUE, "a short ld to be refused");
  expect(sgemm(handle, 4, 4, nullptr) == CUBLAS_STATUS_INVALID_VALUE, "no alpha to be refused");
  expect(sgemm(handle, 0, 1, &one) == CUBLAS_STATUS_SUCCESS, "an empty product to do nothing");
}

// ---- cuBLASLt ----

class Layout {
 public:
  Layout(int rows, int cols, int ld) {
    check(cublasLtMatrixLayoutCreate(&layout_, CUDA_R_32F, rows, cols, ld));
  }
  explicit Layout(const Matrix& matrix) : Layout(matrix.rows, matrix.cols, matrix.ld) {}
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

// Of the operands, B begins `skipped` elements late, which the search for an algorithm is told as
// an alignment.
cublasStatus_t matmul(cublasLtHandle_t handle, const Operation& operation, DeviceArray<float>& a,
                      const Layout& layout_a, DeviceArray<float>& b, const Layout& layout_b,
                      DeviceArray<float>& d, const Layout& layout_d, int skipped = 0,
                      std::uint32_t alignment = 256) {
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtMatmulPreferenceCreate(&preference));
  const std::size_t workspace = 0;
  check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &workspace, sizeof workspace));
  check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                                             &alignment, sizeof alignment));
  cublasLtMatmulHeuristicResult_t result{};
  int found = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle, operation, layout_a, layout_b, layout_d, layout_d, preference, 1, &result, &found);
  check(cublasLtMatmulPreferenceDestroy(preference));
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const float alpha = 1;
  const float beta = 0;
  return cublasLtMatmul(handle, operation, &alpha, a.data(), layout_a, b.data() + skipped, layout_b,
                        &beta, d.data(), layout_d, d.data(), layout_d, &result.algo, nullptr, 0,
                        nullptr);
}

// An algorithm is for operands as aligned as the search was told, 256 bytes if nothing.
void test_alignment(cublasLtHandle_t handle) {
  const Matrix a(4, 4, 1), b(4, 3, 2);
  DeviceArray<float> device_a(a.values), device_b(b.values), device_d(16);
  const Operation plain(CUBLASLT_EPILOGUE_DEFAULT);
  const auto run = [&](int skipped, std::uint32_t alignment) {
    return matmul(handle, plain, device_a, Layout(a), device_b, Layout(4, 2, b.ld), device_d,
                  Layout(4, 2, 4), skipped, alignment);
  };
  check(run(0, 256));
  check(run(b.ld, 4));
  expect(run(b.ld, 256) == CUBLAS_STATUS_INVALID_VALUE, "an unaligned operand to be refused");
}

// A layer forward, with its ReLU mask, and backward through that mask with the bias gradient.
void test_epilogues(cublasLtHandle_t handle) {
  constexpr int outputs = 20;
  constexpr int points = 9;
  constexpr int inputs = 12;
  constexpr std::int64_t mask_ld = 128;
  const Matrix w(outputs, inputs, 1), h(inputs, points, 2);
  const std::vector<float> bias = random_values(outputs, 3);
  const auto exact = [](float value) { return value; };
  Matrix z = product(1, w, false, h, false, 0, Matrix(outputs, points, 4), exact);
  Matrix activated = z;
  for (int c = 0; c < points; ++c) {
    for (int r = 0; r < outputs; ++r) {
      z.at(r, c) += bias[r];
      activated.at(r, c) = std::max(z.at(r, c), 0.0F);
    }
  }
  DeviceArray<float> device_w(w.values), device_h(h.values), device_bias(bias);
  DeviceArray<float> output(Matrix(outputs, points, 4).values);
  DeviceArray<unsigned char> mask(mask_ld / 8 * points);

  Operation linear(CUBLASLT_EPILOGUE_BIAS);
  linear.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_bias.data());
  check(matmul(handle, linear, device_w, Layout(w), device_h, Layout(h), output, Layout(z)));
  expect_matrix(output.values(), z, 1e-5);

  Operation forward(CUBLASLT_EPILOGUE_RELU_AUX_BIAS);
  expect(matmul(handle, forward, device_w, Layout(w), device_h, Layout(h), output, Layout(z)) ==
             CUBLAS_STATUS_INVALID_VALUE,
         "a missing bias to be refused");
  forward.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_bias.data());
  forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, mask.data());
  forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::int64_t{64});
  expect(matmul(handle, forward, device_w, Layout(w), device_h, Layout(h), output, Layout(z)) ==
             CUBLAS_STATUS_INVALID_VALUE,
         "a mask that is not aligned to 128 bits to be refused");
  forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, mask_ld);
  check(matmul(handle, forward, device_w, Layout(w), device_h, Layout(h), output, Layout(z)));
  expect_matrix(output.values(), activated, 1e-5);

  // dz = (W2^T g) masked, and the sums of its rows.
  const Matrix w2(6, outputs, 5), g(6, points, 6);
  Matrix dz = product(1, w2, true, g, false, 0, Matrix(outputs, points, 4), exact);
  std::vector<double> bias_gradient(outputs, 0.0);
  for (int c = 0; c < points; ++c) {
    for (int r = 0; r < outputs; ++r) {
      if (!(z.at(r, c) > 0)) dz.at(r, c) = 0;
      bias_gradient[r] += dz.at(r, c);
    }
  }
  DeviceArray<float> device_w2(w2.values), device_g(g.values), device_gradient(outputs);
  Operation backward(CUBLASLT_EPILOGUE_DRELU_BGRAD);
  backward.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  backward.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_gradient.data());
  backward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, mask.data());
  backward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, mask_ld);
  check(matmul(handle, backward, device_w2, Layout(w2), device_g, Layout(g), output, Layout(dz)));
  expect_matrix(output.values(), dz, 1e-5);
  expect_close(device_gradient.values(), bias_gradient, 1e-5);

  // dW = dz h^T with the sums of dz's rows (A), and of h^T's columns (B).
  const Matrix dw = product(1, dz, false, h, true, 0, Matrix(outputs, inputs, 4), exact);
  DeviceArray<float> device_dz(dz.values), device_dw(Matrix(outputs, inputs, 4).values);
  Operation weights(CUBLASLT_EPILOGUE_BGRADA);
  weights.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  weights.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_gradient.data());
  check(matmul(handle, weights, device_dz, Layout(dz), device_h, Layout(h), device_dw, Layout(dw)));
  expect_matrix(device_dw.values(), dw, 1e-5);
  expect_close(device_gradient.values(), bias_gradient, 1e-5);

  std::vector<double> input_sums(inputs, 0.0);
  for (int c = 0; c < points; ++c) {
    for (int r = 0; r < inputs; ++r) input_sums[r] += h.at(r, c);
  }
  DeviceArray<float> device_sums(inputs);
  Operation sums(CUBLASLT_EPILOGUE_BGRADB);
  sums.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  sums.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_sums.data());
  check(matmul(handle, sums, device_dz, Layout(dz), device_h, Layout(h), device_dw, Layout(dw)));
  expect_close(device_sums.values(), input_sums, 1e-5);
}

int main() {
  cublasHandle_t handle = nullptr;
  check(cublasCreate(&handle));
  test_sgemm(handle);
  test_tf32(handle);
  test_bf16_batches(handle);
  test_sgemv(handle);
  test_order(handle);
  test_refusals(handle);
  check(cublasDestroy(handle));

  cublasLtHandle_t lt_handle = nullptr;
  check(cublasLtCreate(&lt_handle));
  test_epilogues(lt_handle);
  test_alignment(lt_handle);
  check(cublasLtDestroy(lt_handle));
}
