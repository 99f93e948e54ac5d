// The calls of cuBLAS and cuBLASLt that the CUDA kernels are compared with: operands in all
// orientations with padded leading dimensions, precisions, batches, epilogues, and what is refused.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <cstdint>
#include <cstring>
#include <limits>

#include "tests/vgpu/programs/lt.cuh"

__global__ void scale(int n, float factor, float* x) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= factor;
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

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

Layout layout(const Matrix& matrix) { return {matrix.rows, matrix.cols, matrix.ld}; }

// A matrix without padding: its columns lie close together.
Matrix dense(int rows, int cols, unsigned seed) { return {rows, cols, seed, 0}; }

// B begins where its second column does, four bytes from where any wider load could.
void test_alignment(Lt& lt) {
  const Matrix a(4, 4, 1), b(4, 3, 2);
  DeviceArray<float> device_a(a.values), device_b(b.values), device_d(8);
  const auto exact = [](float value) { return value; };
  const Matrix want = product(1, a, false, b, false, 0, Matrix(4, 3, 3), exact);
  const Operation plain(CUBLASLT_EPILOGUE_DEFAULT);
  expect(made(lt.matmul(plain, device_a.data(), layout(a), device_b.data() + b.ld,
                        Layout(4, 2, b.ld), device_d.data(), Layout(4, 2, 4), sizeof(float)),
              "B at a multiple of 4 bytes"),
         "it to be made");
  const std::vector<float> got = device_d.values();
  for (int i = 0; i < 8; ++i) {
    expect(std::fabs(got[i] - want.at(i % 4, 1 + i / 4)) <= 1e-6, "the last two columns");
  }
}

// A layer forward, with its ReLU mask, and backward through that mask with the bias gradient.
// Leading dimensions are multiples of 16 bytes, which the real epilogues want. Returns whether all
// were made: one that the library refuses does not hide the next.
bool test_epilogues(Lt& lt) {
  constexpr int outputs = 64;
  constexpr int points = 48;
  constexpr int inputs = 32;
  constexpr int above = 16;
  constexpr std::int64_t mask_ld = 128;
  constexpr double tolerance = 3e-5;
  const Matrix w = dense(outputs, inputs, 1);
  const Matrix h = dense(inputs, points, 2);
  const Matrix no_outputs = dense(outputs, points, 4);
  const std::vector<float> bias = random_values(outputs, 3);
  const auto exact = [](float value) { return value; };
  Matrix z = product(1, w, false, h, false, 0, no_outputs, exact);
  Matrix activated = z;
  for (int c = 0; c < points; ++c) {
    for (int r = 0; r < outputs; ++r) {
      z.at(r, c) += bias[r];
      activated.at(r, c) = std::max(z.at(r, c), 0.0F);
    }
  }
  DeviceArray<float> device_w(w.values), device_h(h.values), device_bias(bias);
  DeviceArray<float> output(no_outputs.values);
  DeviceArray<unsigned char> mask(std::vector<unsigned char>(mask_ld / 8 * points, 0));
  const auto run_forward = [&](const Operation& operation) {
    return lt.matmul(operation, device_w.data(), layout(w), device_h.data(), layout(h),
                     output.data(), layout(z));
  };
  bool all = true;

  Operation linear(CUBLASLT_EPILOGUE_BIAS);
  linear.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_bias.data());
  if (made(run_forward(linear), "BIAS")) {
    expect_matrix(output.values(), z, tolerance);
  } else {
    all = false;
  }

  linear.set(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, std::int32_t{CUDA_R_16BF});
  expect(run_forward(linear).status != CUBLAS_STATUS_SUCCESS,
         "a bias of another type than D's to be refused");

  Operation forward(CUBLASLT_EPILOGUE_RELU_AUX_BIAS);
  expect(run_forward(forward).status == CUBLAS_STATUS_INVALID_VALUE,
         "a missing bias to be refused");
  forward.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_bias.data());
  forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, mask.data());
  forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, std::int64_t{64});
  expect(run_forward(forward).status == CUBLAS_STATUS_INVALID_VALUE,
         "a mask that is not aligned to 128 bits to be refused");
  forward.set(CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, mask_ld);
  const bool masked = made(run_forward(forward), "RELU_AUX_BIAS");
  if (masked) {
    expect_matrix(output.values(), activated, tolerance);
    // A bit an output, a point after another, low bits of a byte first.
    const std::vector<unsigned char> bits = mask.values();
    for (int c = 0; c < points; ++c) {
      for (int r = 0; r < outputs; ++r) {
        const bool bit = (bits[(c * mask_ld + r) / 8] >> (r % 8) & 1) != 0;
        if (std::fabs(z.at(r, c)) > tolerance) expect(bit == (z.at(r, c) > 0), "the mask's bit");
      }
    }
  } else {
    all = false;
  }

  // dz = (W2^T g) masked, and the sums of its rows.
  const Matrix w2 = dense(above, outputs, 5);
  const Matrix g = dense(above, points, 6);
  Matrix dz = product(1, w2, true, g, false, 0, no_outputs, exact);
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
  if (masked && made(lt.matmul(backward, device_w2.data(), layout(w2), device_g.data(), layout(g),
                               output.data(), layout(dz)),
                     "DRELU_BGRAD")) {
    expect_matrix(output.values(), dz, tolerance);
    expect_close(device_gradient.values(), bias_gradient, tolerance);
  } else {
    all = false;
  }

  // dW = dz h^T with the sums of dz's rows (A), and of h^T's columns (B).
  const Matrix dw = product(1, dz, false, h, true, 0, dense(outputs, inputs, 4), exact);
  DeviceArray<float> device_dz(dz.values), device_dw(dw.values.size());
  const auto run_weights = [&](const Operation& operation) {
    return lt.matmul(operation, device_dz.data(), layout(dz), device_h.data(), layout(h),
                     device_dw.data(), layout(dw));
  };
  Operation weights(CUBLASLT_EPILOGUE_BGRADA);
  weights.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  weights.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_gradient.data());
  if (made(run_weights(weights), "BGRADA")) {
    expect_matrix(device_dw.values(), dw, tolerance);
    expect_close(device_gradient.values(), bias_gradient, tolerance);
  } else {
    all = false;
  }

  std::vector<double> input_sums(inputs, 0.0);
  for (int c = 0; c < points; ++c) {
    for (int r = 0; r < inputs; ++r) input_sums[r] += h.at(r, c);
  }
  DeviceArray<float> device_sums(inputs);
  Operation sums(CUBLASLT_EPILOGUE_BGRADB);
  sums.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  sums.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, device_sums.data());
  if (made(run_weights(sums), "BGRADB")) {
    expect_close(device_sums.values(), input_sums, tolerance);
  } else {
    all = false;
  }
  return all;
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

  Lt lt;
  test_alignment(lt);
  return test_epilogues(lt) ? 0 : 1;
}
