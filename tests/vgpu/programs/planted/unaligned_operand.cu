// An operand of a product of cuBLASLt that is less aligned than the search for an algorithm was
// told.
#include "tests/vgpu/programs/lt.cuh"
#include "tests/vgpu/programs/planted/planted.cuh"

int main(int argc, char** argv) {
  const std::uint32_t alignment = wants_bug(argc, argv) ? 256 : sizeof(float);
  DeviceArray<float> a(std::vector<float>(16, 0.5F)), b(std::vector<float>(20, 2.0F)), d(16);
  Lt lt;
  const Operation plain(CUBLASLT_EPILOGUE_DEFAULT);
  const Layout square(4, 4, 4);
  const Outcome outcome =
      lt.matmul(plain, a.data(), square, b.data() + 1, square, d.data(), square, alignment);
  expect(made(outcome, "the product"), "it to be made");
  expect_close(d.values(), std::vector<float>(16, 4.0F), 0);
}

__global__ void unused() {}  // without device code a program registers nothing
