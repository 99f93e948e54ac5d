// wmma: a fragment has no layout that a program may know, so what is tested is a whole product: A,
// B and C loaded, multiplied, and D stored, in all combinations of layouts in memory.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/vgpu/exec/half.h"
#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

struct Form {
  int m, n, k;
  std::string element, sum;
  int a_registers, b_registers, sum_registers;
  double tolerance;  // relative to the sum of magnitudes
};

int element_bytes(const std::string& type) {
  if (type == "f64") return 8;
  if (type == "s8" || type == "u8") return 1;
  return type == "f16" || type == "bf16" ? 2 : 4;
}

std::uint64_t bits_of(const std::string& type, double v) {
  if (type == "f64") return std::bit_cast<std::uint64_t>(v);
  if (type == "f16") return from_double<F16>(v).bits;
  if (type == "bf16") return from_double<BF16>(v).bits;
  if (type == "f32" || type == "tf32") return std::bit_cast<std::uint32_t>(static_cast<float>(v));
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(v));
}

double value_of(const std::string& type, std::uint64_t bits) {
  if (type == "f64") return std::bit_cast<double>(bits);
  if (type == "f16") return to_double(F16{static_cast<std::uint16_t>(bits)});
  if (type == "bf16") return to_double(BF16{static_cast<std::uint16_t>(bits)});
  const auto word = static_cast<std::uint32_t>(bits);
  if (type == "tf32") return std::bit_cast<float>(word & ~0x1fffU);
  if (type == "f32") return std::bit_cast<float>(word);
  if (type == "s8") return static_cast<std::int8_t>(word);
  if (type == "u8") return static_cast<std::uint8_t>(word);
  return static_cast<std::int32_t>(word);
}

// A matrix in memory with rows (or columns) that are `stride` elements apart.
struct Matrix {
  std::string type;
  int rows, columns, stride;
  bool column_major;

  [[nodiscard]] std::size_t offset(int row, int column) const {
    const std::size_t place =
        column_major ? element_at(column, stride, row) : element_at(row, stride, column);
    return place * static_cast<std::size_t>(element_bytes(type));
  }
  [[nodiscard]] std::vector<std::uint8_t> bytes(std::mt19937& random,
                                                std::vector<double>& values) const {
    std::vector<std::uint8_t> result(column_major ? offset(0, columns) : offset(rows, 0));
    values.resize(elements_of(rows, columns));
    std::uniform_real_distribution<double> uniform(-2, 2);
    const bool integer = type == "s8" || type == "u8" || type == "s32";
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        const double v = integer ? static_cast<double>(random() % 200) - (type == "u8" ? 0 : 100)
                                 : uniform(random);
        const std::uint64_t bits = bits_of(type, v);
        std::memcpy(&result[offset(row, column)], &bits,
                    static_cast<std::size_t>(element_bytes(type)));
        values[element_at(row, columns, column)] = value_of(type, bits);
      }
    }
    return result;
  }
};

std::string list(char name, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}%{}{}", i == 0 ? "" : ", ", name, i);
  return text + "}";
}

class Wmma : public ::testing::TestWithParam<Form> {};

TEST_P(Wmma, LoadsMultipliesAndStores) {
  const Form& f = GetParam();
  const std::string shape = fmt::format("m{}n{}k{}", f.m, f.n, f.k);
  const auto held = [](const std::string& type, bool sum) -> std::string {
    if (type == "f64") return "f64";
    return sum && type == "f32" ? "f32" : "b32";
  };
  const auto layout = [](bool column_major) { return column_major ? "col" : "row"; };
  const std::string types = f.element == "f16"
                                ? f.sum + "." + f.sum
                                : fmt::format("{}.{}.{}.{}", f.sum, f.element, f.element, f.sum);
  for (int choice = 0; choice < 16; ++choice) {
    const auto matrix = [&](const std::string& type, int rows, int columns, int bit) {
      const bool column_major = ((choice >> bit) & 1) != 0;
      return Matrix{type, rows, columns, (column_major ? rows : columns) + 16, column_major};
    };
    const Matrix a = matrix(f.element, f.m, f.k, 0);
    const Matrix b = matrix(f.element, f.k, f.n, 1);
    const Matrix c = matrix(f.sum, f.m, f.n, 2);
    const Matrix d = matrix(f.sum, f.m, f.n, 3);
    std::string body = fmt::format("  .reg .{} %a<8>, %b<8>;\n  .reg .{} %c<8>, %d<8>;\n",
                                   held(f.element, false), held(f.sum, true));
    const auto load = [&](char name, const Matrix& m, int registers, int parameter) {
      body += fmt::format("  wmma.load.{}.sync.aligned.{}.{}.global.{} {}, [%p{}], {};\n", name,
                          layout(m.column_major), shape, m.type, list(name, registers), parameter,
                          m.stride);
    };
    load('a', a, f.a_registers, 0);
    load('b', b, f.b_registers, 1);
    load('c', c, f.sum_registers, 2);
    body +=
        fmt::format("  wmma.mma.sync.aligned.{}.{}.{}.{}{} {}, {}, {}, {};\n",
                    layout(a.column_major), layout(b.column_major), shape, types,
                    f.element == "f64" ? ".rn" : "", list('d', f.sum_registers),
                    list('a', f.a_registers), list('b', f.b_registers), list('c', f.sum_registers));
    body +=
        fmt::format("  wmma.store.d.sync.aligned.{}.{}.global.{} [%p3], {}, {};\n",
                    layout(d.column_major), shape, d.type, list('d', f.sum_registers), d.stride);
    std::mt19937 random(5);
    std::vector<double> a_values, b_values, c_values, d_values;
    PtxDevice device;
    const Address result = device.upload(d.bytes(random, d_values));
    const Outcome outcome = device.run_body(
        body, {},
        {device.upload(a.bytes(random, a_values)), device.upload(b.bytes(random, b_values)),
         device.upload(c.bytes(random, c_values)), result});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_TRUE(device.messages().empty()) << device.messages().front();
    for (int row = 0; row < f.m; ++row) {
      for (int column = 0; column < f.n; ++column) {
        double want = c_values[element_at(row, f.n, column)];
        double scale = std::abs(want);
        for (int k = 0; k < f.k; ++k) {
          const double product =
              a_values[element_at(row, f.k, k)] * b_values[element_at(k, f.n, column)];
          want += product;
          scale += std::abs(product);
        }
        const auto size = static_cast<std::size_t>(element_bytes(f.sum));
        const auto bytes = device.download<std::uint8_t>(result + d.offset(row, column), size);
        std::uint64_t bits = 0;
        std::memcpy(&bits, bytes.data(), size);
        EXPECT_LE(std::abs(value_of(f.sum, bits) - want), f.tolerance * scale)
            << "layouts " << choice << ", row " << row << ", column " << column;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, Wmma,
                         ::testing::Values(Form{16, 16, 16, "f16", "f32", 8, 8, 8, 1e-6},
                                           Form{32, 8, 16, "f16", "f32", 8, 8, 8, 1e-6},
                                           Form{8, 32, 16, "f16", "f16", 8, 8, 4, 5e-4},
                                           Form{16, 16, 16, "bf16", "f32", 4, 4, 8, 1e-6},
                                           Form{32, 8, 16, "bf16", "f32", 8, 2, 8, 1e-6},
                                           Form{8, 32, 16, "bf16", "f32", 2, 8, 8, 1e-6},
                                           Form{16, 16, 8, "tf32", "f32", 4, 4, 8, 1e-6},
                                           Form{8, 8, 4, "f64", "f64", 1, 1, 2, 1e-15},
                                           Form{16, 16, 16, "s8", "s32", 2, 2, 8, 0},
                                           Form{32, 8, 16, "u8", "s32", 4, 1, 8, 0}),
                         [](const auto& test) {
                           const Form& f = test.param;
                           return fmt::format("m{}n{}k{}_{}_{}", f.m, f.n, f.k, f.element, f.sum);
                         });

}  // namespace
}  // namespace vgpu::testing
