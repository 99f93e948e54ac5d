// Linked into tests of what is built for AVX-512: skips them all on a CPU that has none.
#include <gtest/gtest.h>

namespace vgpu::testing {
namespace {

class NeedsAvx512 : public ::testing::Environment {
 public:
  void SetUp() override {
    if (__builtin_cpu_supports("avx512f") == 0 || __builtin_cpu_supports("avx512bw") == 0 ||
        __builtin_cpu_supports("avx512cd") == 0 || __builtin_cpu_supports("avx512dq") == 0 ||
        __builtin_cpu_supports("avx512vl") == 0) {
      GTEST_SKIP() << "this CPU has no AVX-512";
    }
  }
};

[[maybe_unused]] const ::testing::Environment* const needs_avx512 =
    ::testing::AddGlobalTestEnvironment(new NeedsAvx512);

}  // namespace
}  // namespace vgpu::testing
