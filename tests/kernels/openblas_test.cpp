#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cpu/gemm.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/openblas_library.h"

namespace siamese {
namespace {

const char* const users_choice = std::getenv("OPENBLAS_CORETYPE");

/// Skipped, with the reason, where there is no OpenBLAS: then the variant tests have no openblas.
class OpenBlas : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = why_no_openblas()) GTEST_SKIP() << *reason;
  }
};

// Small whole numbers, whose sums are exact.
template <class T>
std::vector<T> numbers(std::int64_t count, int seed) {
  std::vector<T> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<T>(static_cast<int>(i * 7 + static_cast<std::size_t>(seed)) % 11 - 5);
  }
  return values;
}

template <class T>
void expect_product(std::int64_t rows, std::int64_t columns, std::int64_t depth, bool a_transposed,
                    bool b_transposed) {
  const std::vector<T> a = numbers<T>(rows * depth, 3);
  const std::vector<T> b = numbers<T>(depth * columns, 5);
  std::vector<T> c(static_cast<std::size_t>(rows * columns), std::numeric_limits<T>::quiet_NaN());
  openblas_gemm<T>(1)({.rows = rows,
                       .columns = columns,
                       .depth = depth,
                       .a = a.data(),
                       .a_transposed = a_transposed,
                       .b = b.data(),
                       .b_transposed = b_transposed,
                       .c = c.data()});
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      T want = 0;
      for (std::int64_t k = 0; k < depth; ++k) {
        want += a[static_cast<std::size_t>(a_transposed ? k * rows + i : i * depth + k)] *
                b[static_cast<std::size_t>(b_transposed ? j * depth + k : k * columns + j)];
      }
      ASSERT_EQ(c[static_cast<std::size_t>(i * columns + j)], want)
          << rows << " x " << columns << " x " << depth << " at " << i << ", " << j;
    }
  }
}

TEST_F(OpenBlas, MultipliesOperandsOfEitherOrderAndWritesOverNaN) {
  for (const bool a_transposed : {false, true}) {
    for (const bool b_transposed : {false, true}) {
      for (const std::int64_t depth : {0, 1, 17, 200}) {
        expect_product<float>(33, 21, depth, a_transposed, b_transposed);
        expect_product<double>(33, 21, depth, a_transposed, b_transposed);
      }
    }
  }
}

TEST_F(OpenBlas, TakesNoRows) {
  expect_product<float>(0, 21, 5, false, false);
  expect_product<double>(0, 21, 5, false, true);
}

TEST_F(OpenBlas, RunsTheKernelsOfTheInstructionSet) {
  if (users_choice != nullptr) GTEST_SKIP() << "OPENBLAS_CORETYPE is " << users_choice;
  const std::string description = describe_openblas();
  EXPECT_NE(description.find("OpenBLAS"), std::string::npos) << description;
  const auto runs = [&](const char* core) { return description.find(core) != std::string::npos; };
  switch (chosen_isa()) {
    case Isa::avx512:
      EXPECT_TRUE(runs("SkylakeX")) << description;
      return;
    case Isa::avx2:
      EXPECT_TRUE(runs("Haswell")) << description;
      return;
    case Isa::sse2:
      EXPECT_TRUE(runs("Prescott")) << description;
      return;
    case Isa::neon:
      return;
  }
}

}  // namespace
}  // namespace siamese
