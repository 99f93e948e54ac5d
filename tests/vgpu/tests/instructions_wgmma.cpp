// wgmma, one shape and layout at a time. Where a chunk of 16 bytes of an operand lies in shared
// memory is written here as the manual's canonical layouts give it, and sums are made in double.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
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

// One operand in shared memory: rows along m or n.
struct Layout {
  int swizzle = 0;          // bytes; 0: none
  bool transposed = false;  // consecutive rows, not consecutive k, are neighbours
};

struct Form {
  std::string element;
  int columns = 8;
  Layout a, b;
  bool a_in_registers = false;
  bool half_sums = false;
  int scale_a = 1, scale_b = 1;
};

int element_bytes(const Form& f) { return f.element == "tf32" ? 4 : 2; }
int depth(const Form& f) { return 32 / element_bytes(f); }

// Bytes that the operand takes, and its offsets in bytes.
struct Extent {
  int bytes, leading, stride;
};
Extent extent(const Layout& l, int rows) {
  const int row_groups = (rows + 7) / 8;
  if (!l.transposed) {
    if (l.swizzle == 0) return {row_groups * 256, 128, 256};
    return {row_groups * 8 * l.swizzle, 0, 8 * l.swizzle};
  }
  if (l.swizzle == 0) return {row_groups * 256, 128, 256};
  const int wide = l.swizzle / 16;
  // k / 8 apart by the stride, groups of `wide` chunks apart by the leading offset.
  return {(row_groups + wide - 1) / wide * 16 * l.swizzle, 16 * l.swizzle, 8 * l.swizzle};
}

// Offset of element (row, k) from the start of an operand that is aligned to 1024 bytes.
int offset_of(const Layout& l, int rows, int size, int row, int k) {
  const Extent e = extent(l, rows);
  const int per_chunk = 16 / size;
  int offset = 0;
  if (!l.transposed) {
    const int chunk = k / per_chunk;
    offset = l.swizzle == 0 ? row / 8 * e.stride + chunk * e.leading + row % 8 * 16
                            : row / 8 * e.stride + row % 8 * l.swizzle + chunk * 16;
    offset += k % per_chunk * size;
  } else {
    const int chunk = row / per_chunk;
    if (l.swizzle == 0) {
      offset = chunk * e.stride + k / 8 * e.leading + k % 8 * 16;
    } else {
      const int wide = l.swizzle / 16;
      offset = chunk / wide * e.leading + chunk % wide * 16 + k / 8 * e.stride + k % 8 * l.swizzle;
    }
    offset += row % per_chunk * size;
  }
  // The pattern: bits 4 to 6 change with bits 7 to 9, as many of them as the swizzle is wide.
  if (l.swizzle == 32) offset ^= (offset >> 3) & 0x10;
  if (l.swizzle == 64) offset ^= (offset >> 3) & 0x30;
  if (l.swizzle == 128) offset ^= (offset >> 3) & 0x70;
  return offset;
}

std::uint64_t descriptor_bits(const Layout& l, int rows) {
  const Extent e = extent(l, rows);
  const std::uint64_t mode = l.swizzle == 128 ? 1 : l.swizzle == 64 ? 2 : l.swizzle == 32 ? 3 : 0;
  return (static_cast<std::uint64_t>(e.leading / 16) << 16) |
         (static_cast<std::uint64_t>(e.stride / 16) << 32) | (mode << 62);
}

struct Matrix {
  std::vector<double> values;       // [rows, k]
  std::vector<std::uint32_t> bits;  // likewise
};

Matrix random_matrix(const Form& f, int rows, std::mt19937& random) {
  std::uniform_real_distribution<double> uniform(-2, 2);
  Matrix m;
  for (int i = 0; i < rows * depth(f); ++i) {
    const double v = uniform(random);
    if (f.element == "bf16") {
      const BF16 x = from_double<BF16>(v);
      m.bits.push_back(x.bits);
      m.values.push_back(to_double(x));
    } else if (f.element == "f16") {
      const F16 x = from_double<F16>(v);
      m.bits.push_back(x.bits);
      m.values.push_back(to_double(x));
    } else {
      const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(v));
      m.bits.push_back(bits);  // the low 13 bits do not count
      m.values.push_back(std::bit_cast<float>(bits & ~0x1fffU));
    }
  }
  return m;
}

// The operand as it lies in shared memory.
std::vector<std::uint8_t> laid_out(const Form& f, const Layout& l, const Matrix& m, int rows) {
  const int size = element_bytes(f);
  std::vector<std::uint8_t> bytes(
      static_cast<std::size_t>((extent(l, rows).bytes + 1023) / 1024 * 1024));
  for (int row = 0; row < rows; ++row) {
    for (int k = 0; k < depth(f); ++k) {
      std::memcpy(&bytes[static_cast<std::size_t>(offset_of(l, rows, size, row, k))],
                  &m.bits[element_at(row, depth(f), k)], static_cast<std::size_t>(size));
    }
  }
  return bytes;
}

std::string list(char name, int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}%{}{}", i == 0 ? "" : ", ", name, i);
  return text + "}";
}

// What a kernel does: its parameters are A and B as they shall lie in shared memory, the registers
// of A, and the result, register i of thread t at (i * 128 + t) * 4.
struct Program {
  std::string before_wait = "";  // statements after commit
  std::string wait = "wgmma.wait_group.sync.aligned 0;";
  std::string fence = "wgmma.fence.sync.aligned;";
  int products = 2;
  bool commit_each = false;
};

std::string kernel(const Form& f, std::size_t a_bytes, std::size_t b_bytes, const Program& p) {
  const int registers = f.columns / (f.half_sums ? 4 : 2);
  std::string body = fmt::format(
      "  .reg .b32 %i, %from, %sa, %sb, %x;\n  .reg .b64 %at, %da, %db, %y;\n  .reg .pred %q, "
      "%add;\n"
      "  .reg .{} %d<{}>;\n  .reg .b32 %a<4>;\n"
      "  .shared .align 1024 .b8 sa[{}];\n  .shared .align 1024 .b8 sb[{}];\n"
      "  mov.u32 %sa, sa;\n  mov.u32 %sb, sb;\n",
      f.half_sums ? "b32" : "f32", registers, a_bytes, b_bytes);
  const auto fill = [&](const char* name, const char* to, int parameter, std::size_t bytes) {
    body += fmt::format(
        "  mul.lo.u32 %i, %thread, 4;\nfill_{0}:\n  cvt.u64.u32 %at, %i;\n  add.u64 %at, %at, "
        "%p{1};\n"
        "  ld.global.b32 %x, [%at];\n  add.u32 %from, %i, %{2};\n  st.shared.b32 [%from], %x;\n"
        "  add.u32 %i, %i, 512;\n  setp.lt.u32 %q, %i, {3};\n  @%q bra fill_{0};\n",
        name, parameter, to, bytes);
  };
  fill("a", "sa", 0, a_bytes);
  fill("b", "sb", 1, b_bytes);
  body += "  bar.sync 0;\n";
  for (int i = 0; i < 4; ++i) {
    body += fmt::format(
        "  mul.wide.u32 %at, %thread, 4;\n  add.u64 %at, %at, %p2;\n"
        "  ld.global.b32 %a{}, [%at+{}];\n",
        i, i * 512);
  }
  for (int i = 0; i < registers; ++i) {
    body += f.half_sums ? fmt::format("  mov.b32 %d{}, 0x3c003c00;\n", i)
                        : fmt::format("  mov.f32 %d{}, 0f3F800000;\n", i);
  }
  const auto describe = [&](const char* to, const char* start, const Layout& l, int rows) {
    body +=
        fmt::format("  shr.u32 %x, %{}, 4;\n  cvt.u64.u32 %{}, %x;\n  or.b64 %{}, %{}, {:#x};\n",
                    start, to, to, to, descriptor_bits(l, rows));
  };
  describe("da", "sa", f.a, 64);
  describe("db", "sb", f.b, f.columns);
  body += "  " + p.fence + "\n";
  // The first product replaces what is there; the others add.
  for (int i = 0; i < p.products; ++i) {
    body += fmt::format("  setp.ne.u32 %add, {}, 0;\n", i);
    std::string immediates = fmt::format("{}, {}", f.scale_a, f.scale_b);
    if (f.element != "tf32") {
      if (!f.a_in_registers) immediates += f.a.transposed ? ", 1" : ", 0";
      immediates += f.b.transposed ? ", 1" : ", 0";
    }
    body +=
        fmt::format("  wgmma.mma_async.sync.aligned.m64n{}k{}.{}.{}.{} {}, {}, %db, %add, {};\n",
                    f.columns, depth(f), f.half_sums ? "f16" : "f32", f.element, f.element,
                    list('d', registers), f.a_in_registers ? list('a', 4) : "%da", immediates);
    if (p.commit_each) body += "  wgmma.commit_group.sync.aligned;\n";
  }
  if (!p.commit_each) body += "  wgmma.commit_group.sync.aligned;\n";
  body += p.before_wait + "  " + p.wait +
          "\n  mul.wide.u32 %at, %thread, 4;\n  add.u64 %at, %at, %p3;\n";
  for (int i = 0; i < registers; ++i) {
    body += fmt::format("  st.global.b32 [%at+{}], %d{};\n", i * 512, i);
  }
  return body;
}

// The values of A's registers: as mma.m16n8k16 has them, warp i with rows 16 i and up.
std::vector<std::uint32_t> fragments(const Form& f, const Matrix& a) {
  std::vector<std::uint32_t> words(512);
  const int per = 4 / element_bytes(f);
  for (int thread = 0; thread < 128; ++thread) {
    const int lane = thread % 32;
    for (int i = 0; i < 4 * per; ++i) {
      const int reg = i / per;
      const int row = thread / 32 * 16 + lane / 4 + reg % 2 * 8;
      const int k = lane % 4 * per + i % per + reg / 2 * 4 * per;
      words[element_at(reg, 128, thread)] |= a.bits[element_at(row, depth(f), k)] << (i % per * 16);
    }
  }
  return words;
}

class Wgmma : public ::testing::TestWithParam<Form> {
 protected:
  // Runs it; the result as [64, columns].
  std::vector<double> multiply(PtxDevice& device, const Program& p) {
    const Form& f = GetParam();
    std::mt19937 random(11);
    a_ = random_matrix(f, 64, random);
    b_ = random_matrix(f, f.columns, random);
    const auto a_bytes = laid_out(f, f.a, a_, 64);
    const auto b_bytes = laid_out(f, f.b, b_, f.columns);
    const int registers = f.columns / (f.half_sums ? 4 : 2);
    const Address result = device.upload(std::vector<float>(elements_of(128, registers)));
    PtxDevice::Shape shape;
    shape.block.x = 128;
    const Outcome outcome = device.run_body(
        kernel(f, a_bytes.size(), b_bytes.size(), p), shape,
        {device.upload(a_bytes), device.upload(b_bytes), device.upload(fragments(f, a_)), result});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    std::vector<double> d(elements_of(64, f.columns), NAN);
    const auto floats = device.download<float>(result, elements_of(128, registers));
    const auto halves = device.download<std::uint16_t>(result, elements_of(256, registers));
    for (int thread = 0; thread < 128; ++thread) {
      const int lane = thread % 32;
      for (int i = 0; i < f.columns / 2; ++i) {
        const int row = thread / 32 * 16 + lane / 4 + i / 2 % 2 * 8;
        const int column = i / 4 * 8 + lane % 4 * 2 + i % 2;
        d[element_at(row, f.columns, column)] =
            f.half_sums ? to_double(F16{halves[element_at(i / 2 * 128 + thread, 2, i % 2)]})
                        : floats[element_at(i, 128, thread)];
      }
    }
    return d;
  }

  // The product of `times` equal instructions; scale: the sum of magnitudes.
  double expected(int row, int column, int times, double* scale) const {
    const Form& f = GetParam();
    double sum = 0;
    *scale = 0;
    for (int k = 0; k < depth(f); ++k) {
      const double product =
          a_.values[element_at(row, depth(f), k)] * b_.values[element_at(column, depth(f), k)];
      sum += times * f.scale_a * f.scale_b * product;
      *scale += times * std::abs(product);
    }
    return sum;
  }

  Matrix a_, b_;
};

TEST_P(Wgmma, SumsProductsOfBothOperands) {
  const Form& f = GetParam();
  PtxDevice device;
  const std::vector<double> d = multiply(device, {});
  EXPECT_TRUE(device.messages().empty()) << device.messages().front();
  int wrong = 0;
  for (int row = 0; row < 64; ++row) {
    for (int column = 0; column < f.columns; ++column) {
      double scale = 0;
      const double want = expected(row, column, 2, &scale);
      const bool ok = std::abs(d[element_at(row, f.columns, column)] - want) <=
                      (f.half_sums ? 1e-3 : 1e-6) * scale;
      if (!ok && ++wrong < 5) ADD_FAILURE() << "row " << row << ", column " << column;
    }
  }
  EXPECT_EQ(wrong, 0);
  const Precision precision = f.element == "bf16"  ? Precision::bf16
                              : f.element == "f16" ? Precision::f16
                                                   : Precision::tf32;
  EXPECT_EQ(device.counters.flops[static_cast<std::size_t>(precision)],
            static_cast<std::uint64_t>(2) * 2 * 64 * f.columns * depth(f));
}

std::vector<Form> forms() {
  std::vector<Form> result;
  for (const char* element : {"bf16", "f16", "tf32"}) {
    for (const int columns : {8, 24, 64, 256}) {
      for (const int swizzle : {0, 32, 64, 128}) {
        result.push_back({element, columns, {swizzle, false}, {swizzle, false}});
        if (std::string(element) == "tf32") continue;
        result.push_back({element, columns, {swizzle, true}, {swizzle, false}});
        result.push_back({element, columns, {swizzle, false}, {swizzle, true}});
      }
      Form registers{element, columns, {}, {}};
      registers.a_in_registers = true;
      result.push_back(registers);
    }
  }
  Form negated{"bf16", 16, {}, {}};
  negated.scale_a = -1;
  result.push_back(negated);
  negated.scale_b = -1;
  result.push_back(negated);
  Form half{"f16", 32, {}, {}};
  half.half_sums = true;
  result.push_back(half);
  return result;
}

std::string name_of(const Form& f) {
  const auto layout = [](const Layout& l) {
    return fmt::format("{}{}", l.swizzle, l.transposed ? "transposed" : "");
  };
  return fmt::format("{}_n{}_a{}_b{}{}{}{}", f.element, f.columns,
                     f.a_in_registers ? "registers" : layout(f.a), layout(f.b),
                     f.half_sums ? "_half" : "", f.scale_a < 0 ? "_negative_a" : "",
                     f.scale_b < 0 ? "_negative_b" : "");
}

INSTANTIATE_TEST_SUITE_P(Forms, Wgmma, ::testing::ValuesIn(forms()),
                         [](const auto& test) { return name_of(test.param); });

// How results arrive and what must stay as it is: on one form.
class WgmmaOrder : public Wgmma {};

TEST_P(WgmmaOrder, ResultsAreNanBeforeTheWait) {
  PtxDevice device;
  Program p;
  p.wait = "";
  for (const double v : multiply(device, p)) EXPECT_TRUE(std::isnan(v));
}

TEST_P(WgmmaOrder, AnUncommittedProductIsNotWaitedFor) {
  PtxDevice device;
  Program p;
  p.commit_each = true;
  p.products = 2;
  // The second group adds to the same registers, so they are in flight until it has ended.
  p.wait = "wgmma.wait_group.sync.aligned 1;";
  for (const double v : multiply(device, p)) EXPECT_TRUE(std::isnan(v));
}

TEST_P(WgmmaOrder, AnOperandOverwrittenTooEarlyIsReported) {
  PtxDevice device;
  Program p;
  p.before_wait =
      "  mov.b32 %x, 0;\n  setp.eq.u32 %q, %thread, 0;\n  @%q st.shared.b32 [%sb], %x;\n";
  (void)multiply(device, p);
  EXPECT_GE(device.count(ReportKind::shared_race), 1);
}

TEST_P(WgmmaOrder, AMissingFenceIsReported) {
  PtxDevice device;
  Program p;
  p.fence = "";
  (void)multiply(device, p);
  EXPECT_GE(device.count(ReportKind::warp_race), 1);
}

INSTANTIATE_TEST_SUITE_P(OneForm, WgmmaOrder,
                         ::testing::Values(Form{"bf16", 16, {}, {}, false, false, 1, 1}),
                         [](const auto& test) { return name_of(test.param); });

}  // namespace
}  // namespace vgpu::testing
