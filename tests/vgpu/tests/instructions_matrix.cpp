// ldmatrix, stmatrix, movmatrix and mma.sync, one instruction at a time. Where an element of a
// fragment lies is written here as the PTX manual gives it, for each operand by itself; sums are
// made in double.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

std::string registers(char name, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}%{}{}", i == 0 ? "" : ", ", name, i);
  return text + "}";
}

// Each lane loads its registers of one operand from memory, register i of lane l at i * 32 + l.
std::string load_registers(char name, int count, std::string_view type, int bytes, int parameter) {
  std::string text =
      fmt::format("  .reg .{} %{}<{}>;\n  .reg .b64 %at_{};\n", type, name, count, name);
  text += fmt::format("  cvt.u64.u32 %at_{0}, %lane;\n  mad.lo.u64 %at_{0}, %at_{0}, {1}, %p{2};\n",
                      name, bytes, parameter);
  for (int i = 0; i < count; ++i) {
    text +=
        fmt::format("  ld.global.{} %{}{}, [%at_{}+{}];\n", type, name, i, name, i * 32 * bytes);
  }
  return text;
}

std::string store_registers(char name, int count, std::string_view type, int bytes, int parameter) {
  std::string text = fmt::format(
      "  .reg .b64 %to_{0};\n  cvt.u64.u32 %to_{0}, %lane;\n"
      "  mad.lo.u64 %to_{0}, %to_{0}, {1}, %p{2};\n",
      name, bytes, parameter);
  for (int i = 0; i < count; ++i) {
    text +=
        fmt::format("  st.global.{} [%to_{}+{}], %{}{};\n", type, name, i * 32 * bytes, name, i);
  }
  return text;
}

struct Place {
  int row, column;
};

// The manual's tables, for operands of `per` elements a register. i numbers a lane's elements.
// A [rows, k]: m16n8k16 of 16-bit elements, m16n8k32 of 8-bit ones, m16n8k8 of tf32 and f64, and
// their halves of k.
Place place_in_a(int lane, int i, int per, int rows) {
  const int reg = i / per;
  const int blocks_down = rows / 8;
  return {lane / 4 + (reg % blocks_down) * 8,
          (lane % 4) * per + i % per + reg / blocks_down * 4 * per};
}
Place place_in_b(int lane, int i, int per) {
  return {(lane % 4) * per + i % per + i / per * 4 * per, lane / 4};
}
Place place_in_c(int lane, int i) { return {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2}; }

struct Form {
  std::string shape;
  std::string types;  // d.a.b.c
  int rows, depth;
  int per;           // elements of a and b a register
  int per_sum;       // of c and d
  double tolerance;  // relative to the sum of magnitudes
  Precision precision;
};

class Mma : public ::testing::TestWithParam<Form> {};

double half_value(const std::string& type, std::uint16_t bits) {
  return type == "bf16" ? to_double(BF16{bits}) : to_double(F16{bits});
}

TEST_P(Mma, SumsProductsAtTheManualsPlaces) {
  const Form& f = GetParam();
  const bool wide = f.types.find("f64") != std::string::npos;
  const std::string element = f.types.find("bf16") != std::string::npos ? "bf16"
                              : f.per == 2                              ? "f16"
                              : wide                                    ? "f64"
                                                                        : "tf32";
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(-2, 2);
  // Elements as bits, and their values.
  const auto bits_of = [&](double v) -> std::uint64_t {
    if (element == "bf16") return from_double<BF16>(v).bits;
    if (element == "f16") return from_double<F16>(v).bits;
    if (element == "f64") return std::bit_cast<std::uint64_t>(v);
    return std::bit_cast<std::uint32_t>(static_cast<float>(v));
  };
  const auto value_of = [&](std::uint64_t bits) -> double {
    if (f.per == 2) return half_value(element, static_cast<std::uint16_t>(bits));
    if (element == "f64") return std::bit_cast<double>(bits);
    // tf32: the low 13 bits do not count.
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) & ~0x1fffU);
  };
  const int a_registers = f.rows * f.depth / f.per / 32;
  const int b_registers = f.depth * 8 / f.per / 32;
  const int c_values = f.rows * 8 / 32;
  const int bytes = wide ? 8 : 4;
  std::vector<double> a(elements_of(f.rows, f.depth)), b(elements_of(f.depth, 8)),
      c(elements_of(f.rows, 8));
  const auto word = [](auto& words, std::size_t i) -> auto& { return words[i]; };
  const int sum_registers = c_values / f.per_sum;
  std::vector<std::uint64_t> a_words(elements_of(32, a_registers)),
      b_words(elements_of(32, b_registers)), c_words(elements_of(32, sum_registers));
  const int shift = 64 / (f.per == 2 ? 4 : 1);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < a_registers * f.per; ++i) {
      const auto [row, k] = place_in_a(lane, i, f.per, f.rows);
      const std::uint64_t bits = bits_of(uniform(random));
      a[row * f.depth + k] = value_of(bits);
      word(a_words, (i / f.per) * 32 + lane) |= bits << (i % f.per * shift);
    }
    for (int i = 0; i < b_registers * f.per; ++i) {
      const auto [k, column] = place_in_b(lane, i, f.per);
      const std::uint64_t bits = bits_of(uniform(random));
      b[k * 8 + column] = value_of(bits);
      word(b_words, (i / f.per) * 32 + lane) |= bits << (i % f.per * shift);
    }
    for (int i = 0; i < c_values; ++i) {
      const auto [row, column] = place_in_c(lane, i);
      const double v = uniform(random);
      std::uint64_t bits = 0;
      if (wide) {
        c[row * 8 + column] = v;
        bits = std::bit_cast<std::uint64_t>(v);
      } else if (f.per_sum == 2) {
        bits = from_double<F16>(v).bits;
        c[row * 8 + column] = to_double(F16{static_cast<std::uint16_t>(bits)});
      } else {
        c[row * 8 + column] = static_cast<float>(v);
        bits = std::bit_cast<std::uint32_t>(static_cast<float>(v));
      }
      word(c_words, (i / f.per_sum) * 32 + lane) |= bits << (i % f.per_sum * 16);
    }
  }
  PtxDevice device;
  const auto upload = [&](const std::vector<std::uint64_t>& words) {
    return wide ? device.upload(words)
                : device.upload(std::vector<std::uint32_t>(words.begin(), words.end()));
  };
  const std::string operand_type = wide ? "f64" : "b32";
  const std::string sum_type = wide ? "f64" : f.per_sum == 2 ? "b32" : "f32";
  const Address result =
      device.allocate(elements_of(32, sum_registers) * static_cast<std::size_t>(bytes));
  const std::string body =
      load_registers('a', a_registers, operand_type, bytes, 0) +
      load_registers('b', b_registers, operand_type, bytes, 1) +
      load_registers('c', sum_registers, sum_type, bytes, 2) +
      fmt::format("  .reg .{} %d<{}>;\n  mma.sync.aligned.{}.row.col.{} {}, {}, {}, {};\n",
                  sum_type, sum_registers, f.shape, f.types, registers('d', sum_registers),
                  registers('a', a_registers), registers('b', b_registers),
                  registers('c', sum_registers)) +
      store_registers('d', sum_registers, sum_type, bytes, 3);
  const Outcome outcome =
      device.run_body(body, {}, {upload(a_words), upload(b_words), upload(c_words), result});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < c_values; ++i) {
      const auto [row, column] = place_in_c(lane, i);
      double want = c[row * 8 + column];
      double scale = std::abs(want);
      for (int k = 0; k < f.depth; ++k) {
        want += a[row * f.depth + k] * b[k * 8 + column];
        scale += std::abs(a[row * f.depth + k] * b[k * 8 + column]);
      }
      const std::size_t at = static_cast<std::size_t>(i / f.per_sum) * 32 + lane;
      double got = 0;
      if (wide) {
        got = device.download<double>(result, elements_of(32, sum_registers))[at];
      } else if (f.per_sum == 2) {
        got = to_double(F16{device.download<std::uint16_t>(
            result, elements_of(64, sum_registers))[2 * at + i % 2]});
      } else {
        got = device.download<float>(result, elements_of(32, sum_registers))[at];
      }
      EXPECT_LE(std::abs(got - want), f.tolerance * scale) << "lane " << lane << ", element " << i;
    }
  }
  EXPECT_EQ(device.counters.flops[static_cast<std::size_t>(f.precision)],
            static_cast<std::uint64_t>(2 * f.rows * 8 * f.depth));
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Mma,
    ::testing::Values(Form{"m16n8k8", "f32.bf16.bf16.f32", 16, 8, 2, 1, 1e-6, Precision::bf16},
                      Form{"m16n8k16", "f32.bf16.bf16.f32", 16, 16, 2, 1, 1e-6, Precision::bf16},
                      Form{"m16n8k8", "f32.f16.f16.f32", 16, 8, 2, 1, 1e-6, Precision::f16},
                      Form{"m16n8k16", "f32.f16.f16.f32", 16, 16, 2, 1, 1e-6, Precision::f16},
                      Form{"m16n8k8", "f16.f16.f16.f16", 16, 8, 2, 2, 5e-4, Precision::f16},
                      Form{"m16n8k16", "f16.f16.f16.f16", 16, 16, 2, 2, 5e-4, Precision::f16},
                      Form{"m16n8k4", "f32.tf32.tf32.f32", 16, 4, 1, 1, 1e-6, Precision::tf32},
                      Form{"m16n8k8", "f32.tf32.tf32.f32", 16, 8, 1, 1, 1e-6, Precision::tf32},
                      Form{"m8n8k4", "f64.f64.f64.f64", 8, 4, 1, 1, 1e-15, Precision::f64},
                      Form{"m16n8k4", "f64.f64.f64.f64", 16, 4, 1, 1, 1e-15, Precision::f64},
                      Form{"m16n8k8", "f64.f64.f64.f64", 16, 8, 1, 1, 1e-15, Precision::f64},
                      Form{"m16n8k16", "f64.f64.f64.f64", 16, 16, 1, 1, 1e-15, Precision::f64}),
    [](const auto& test) {
      std::string name = test.param.shape + "_" + test.param.types;
      std::replace(name.begin(), name.end(), '.', '_');
      return name;
    });

}  // namespace
}  // namespace vgpu::testing
