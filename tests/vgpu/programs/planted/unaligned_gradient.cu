// A bias gradient that cuBLASLt is to write to an address that is not as aligned as its kernel for
// long sums needs.
#include "tests/vgpu/programs/lt.cuh"
#include "tests/vgpu/programs/planted/planted.cuh"

int main(int argc, char** argv) {
  const bool bug = wants_bug(argc, argv);
  constexpr int size = 8;
  constexpr int k = 20000;
  DeviceArray<float> a(std::vector<float>(size * k, 1.0F)), b(std::vector<float>(size * k, 1.0F));
  DeviceArray<float> d(size * size), gradients(std::vector<float>(4 + size, -1.0F));
  const int first = bug ? 1 : 4;
  Lt lt;
  Operation operation(CUBLASLT_EPILOGUE_BGRADA);
  operation.set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_T);
  operation.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, gradients.data() + first);
  const Layout operand(size, k, size);
  const Outcome outcome = lt.matmul(operation, a.data(), operand, b.data(), operand, d.data(),
                                    Layout(size, size, size));
  expect(made(outcome, "BGRADA"), "it to be made");
  expect_close(d.values(), std::vector<float>(size * size, k), 0);
  std::vector<float> want(4 + size, -1.0F);
  for (int i = 0; i < size; ++i) want[first + i] = k;
  expect_close(gradients.values(), want, 0);
}

__global__ void unused() {}  // without device code a program registers nothing
