// Errors that are injected into approximate functions: inside PTX's bounds, large enough to matter,
// the same for the same seed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"
#include "tests/vgpu/tests/reference_half.h"

namespace vgpu::testing {
namespace {

constexpr std::uint32_t kInputs = 1024;

struct Approximate {
  const char* name;
  const char* statement;     // computes %y from %x, both f32 or b16
  const HalfFormat* format;  // null: f32
  double lowest, highest;    // of the inputs
  double (*exact)(double);
  double (*bound)(double exact, double ulp);  // that PTX states
};
void PrintTo(const Approximate& a, std::ostream* out) { *out << a.name; }

class Injected : public ::testing::TestWithParam<Approximate> {
 protected:
  // Inputs that the format can hold.
  Injected() {
    const Approximate& a = GetParam();
    std::mt19937 generator(7);
    std::uniform_real_distribution<double> inputs(a.lowest, a.highest);
    for (std::uint32_t i = 0; i < kInputs; ++i) {
      const double x = inputs(generator);
      const double held =
          a.format == nullptr ? static_cast<float>(x) : a.format->value(a.format->round(x));
      x_.push_back(held);
    }
  }

  // The results for all inputs; without a seed nothing is injected.
  [[nodiscard]] std::vector<double> run(std::optional<std::uint64_t> seed) const {
    const Approximate& a = GetParam();
    PtxDevice device;
    device.options.inject_errors = seed.has_value();
    device.options.seed = seed.value_or(0);
    return a.format == nullptr ? run_f32(device) : run_half(device, *a.format);
  }

  std::vector<double> x_;

 private:
  template <class T>
  [[nodiscard]] std::vector<T> execute(PtxDevice& device, const char* type,
                                       const std::vector<T>& x) const {
    const Address from = device.upload(x);
    const Address to = device.allocate(x.size() * sizeof(T));
    const Outcome outcome = device.run_body(
        fmt::format("  .reg .{0} %x, %y;\n  .reg .b64 %a;\n  mad.wide.u32 %a, %thread, {1}, %p0;\n"
                    "  ld.global.{0} %x, [%a];\n  {2};\n"
                    "  mad.wide.u32 %a, %thread, {1}, %p1;\n  st.global.{0} [%a], %y;\n",
                    type, sizeof(T), GetParam().statement),
        threads(kInputs), {from, to});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    return device.download<T>(to, x.size());
  }
  [[nodiscard]] std::vector<double> run_f32(PtxDevice& device) const {
    const auto y = execute(device, "f32", std::vector<float>(x_.begin(), x_.end()));
    return {y.begin(), y.end()};
  }
  [[nodiscard]] std::vector<double> run_half(PtxDevice& device, const HalfFormat& format) const {
    std::vector<std::uint16_t> bits;
    for (const double x : x_) bits.push_back(format.round(x));
    std::vector<double> y;
    for (const std::uint16_t v : execute(device, "b16", bits)) y.push_back(format.value(v));
    return y;
  }
};

double unit_in_last_place(double v, const HalfFormat* format) {
  const int fraction = format == nullptr ? 23 : format->mantissa;
  return std::ldexp(1.0, std::ilogb(v) - fraction);
}

TEST_P(Injected, ErrorsReachButNeverPassTheBound) {
  const Approximate& a = GetParam();
  for (const std::uint64_t seed : {0, 1, 2}) {
    const std::vector<double> y = run(seed);
    double largest = 0;  // in parts of the bound
    for (std::uint32_t i = 0; i < kInputs; ++i) {
      const double exact = a.exact(x_[i]);
      const double bound = a.bound(exact, unit_in_last_place(exact, a.format));
      const double error = std::abs(y[i] - exact);
      ASSERT_TRUE(error <= bound) << "of " << x_[i] << ": " << y[i] << ", exactly " << exact;
      largest = std::max(largest, error / bound);
    }
    EXPECT_GT(largest, 0.6) << "seed " << seed;
  }
}

TEST_P(Injected, DependOnTheSeedAlone) {
  const std::vector<double> first = run(1);
  EXPECT_EQ(run(1), first);
  const auto differing = [&](const std::vector<double>& other) {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < kInputs; ++i) count += first[i] != other[i] ? 1 : 0;
    return count;
  };
  EXPECT_GT(differing(run(2)), kInputs / 10);
  EXPECT_GT(differing(run(std::nullopt)), kInputs / 10);
}

double reciprocal(double x) { return 1 / x; }
double inverse_root(double x) { return 1 / std::sqrt(x); }
double third(double x) { return x / 3; }

INSTANTIATE_TEST_SUITE_P(
    Approximate, Injected,
    ::testing::Values(
        Approximate{"rcp_f32", "rcp.approx.f32 %y, %x", nullptr, 0.1, 9, reciprocal,
                    [](double, double ulp) { return ulp; }},
        Approximate{"sqrt_f32", "sqrt.approx.f32 %y, %x", nullptr, 0.1, 9, std::sqrt,
                    [](double exact, double) { return std::ldexp(exact, -23); }},
        Approximate{"rsqrt_f32", "rsqrt.approx.ftz.f32 %y, %x", nullptr, 0.1, 9, inverse_root,
                    [](double exact, double) { return exact * std::exp2(-22.9); }},
        Approximate{"ex2_f32", "ex2.approx.ftz.f32 %y, %x", nullptr, -100, 100, std::exp2,
                    // from the correctly rounded result
                    [](double, double ulp) { return 2.5 * ulp; }},
        Approximate{"lg2_f32", "lg2.approx.f32 %y, %x", nullptr, 2, 1e6, std::log2,
                    [](double exact, double) { return std::ldexp(exact, -22); }},
        Approximate{"lg2_f32_near_1", "lg2.approx.f32 %y, %x", nullptr, 0.51, 1.99, std::log2,
                    [](double, double) { return std::exp2(-22); }},
        Approximate{"sin_f32", "sin.approx.f32 %y, %x", nullptr, -6.28, 6.28, std::sin,
                    [](double, double) { return std::exp2(-20.5); }},
        Approximate{"cos_f32", "cos.approx.ftz.f32 %y, %x", nullptr, -6.28, 6.28, std::cos,
                    [](double, double) { return std::exp2(-20.5); }},
        Approximate{"cos_f32_far", "cos.approx.f32 %y, %x", nullptr, 7, 314, std::cos,
                    [](double, double) { return std::exp2(-14.7); }},
        Approximate{"tanh_f32", "tanh.approx.f32 %y, %x", nullptr, -5, 5, std::tanh,
                    [](double exact, double) { return std::ldexp(std::abs(exact), -11); }},
        Approximate{"div_approx_f32", "div.approx.f32 %y, %x, 0f40400000", nullptr, -9, 9, third,
                    [](double, double ulp) { return 2 * ulp; }},
        Approximate{"div_full_f32", "div.full.f32 %y, %x, 0f40400000", nullptr, -9, 9, third,
                    [](double, double ulp) { return 2 * ulp; }},
        Approximate{"ex2_f16", "ex2.approx.f16 %y, %x", &kHalf, -9, 9, std::exp2,
                    [](double exact, double) { return exact * std::exp2(-9.9); }},
        Approximate{"ex2_bf16", "ex2.approx.ftz.bf16 %y, %x", &kBfloat, -9, 9, std::exp2,
                    [](double exact, double) { return std::ldexp(exact, -7); }},
        Approximate{"tanh_f16", "tanh.approx.f16 %y, %x", &kHalf, -5, 5, std::tanh,
                    [](double, double) { return std::exp2(-10.987); }},
        Approximate{"tanh_bf16", "tanh.approx.bf16 %y, %x", &kBfloat, -5, 5, std::tanh,
                    [](double, double) { return std::exp2(-8); }}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace vgpu::testing
