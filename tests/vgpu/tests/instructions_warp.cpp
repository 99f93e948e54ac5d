// shfl, vote, match, redux, activemask and elect, on warps and on parts of them; and matrices that
// a warp moves between shared memory and registers.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

using Words = std::vector<std::uint32_t>;

// Each lane has p0[lane] in %a; what statements leave in %d and %e is given back, 32 words each.
// Lanes outside `members` skip the statements.
Words warp_values(const std::string& statements, const Words& a, std::uint32_t members = 0xffffffff,
                  PtxDevice* device = nullptr) {
  PtxDevice own;
  PtxDevice& used = device != nullptr ? *device : own;
  const Address result = used.upload(Words(64, 0xdeadbeef));
  const std::string body = fmt::format(
      "  .reg .b32 %a, %d, %e, %bit;\n  .reg .b64 %in, %out;\n  .reg .pred %q<4>, %member;\n"
      "  mad.wide.u32 %in, %lane, 4, %p0;\n  mad.wide.u32 %out, %lane, 4, %p1;\n"
      "  ld.global.b32 %a, [%in];\n  mov.b32 %e, 0;\n"
      "  shr.u32 %bit, {}, %lane;\n  and.b32 %bit, %bit, 1;\n  setp.eq.u32 %member, %bit, 0;\n"
      "  @%member ret;\n{}\n  st.global.b32 [%out], %d;\n  st.global.b32 [%out+128], %e;\n",
      members, statements);
  const Outcome outcome = used.run_body(body, {}, {used.upload(a), result});
  EXPECT_TRUE(outcome.ok()) << statements << ": " << outcome.message;
  EXPECT_TRUE(used.messages().empty()) << statements << ": " << used.messages().front();
  return used.download<std::uint32_t>(result, 64);
}

Words sequence() {
  Words values(32);
  std::iota(values.begin(), values.end(), 100u);
  return values;
}

// By the manual's pseudocode, with lanes as signed numbers.
struct Shuffled {
  int lane;
  bool in_range;
};
Shuffled shuffled(const std::string& mode, int lane, int b, int c) {
  const int bits = b & 0x1f;
  const int clamp = c & 0x1f;
  const int segment = (c >> 8) & 0x1f;
  const int highest = (lane & segment) | (clamp & ~segment);
  const int lowest = lane & segment;
  int j = 0;
  bool p = false;
  if (mode == "up") {
    j = lane - bits;
    p = j >= highest;
  } else if (mode == "down") {
    j = lane + bits;
    p = j <= highest;
  } else if (mode == "bfly") {
    j = lane ^ bits;
    p = j <= highest;
  } else {
    j = lowest | (bits & ~segment);
    p = j <= highest;
  }
  return {p ? j : lane, p};
}

TEST(Shuffle, FollowsEachModeWithinItsClamp) {
  for (const char* mode : {"up", "down", "bfly", "idx"}) {
    for (const int width : {32, 16, 8, 4}) {
      for (const int b : {0, 1, 2, 3, 5, 8, 15, 16, 31, 33}) {
        const int c = ((32 - width) << 8) | (std::string(mode) == "up" ? 0 : 31);
        const Words got =
            warp_values(fmt::format("shfl.sync.{}.b32 %d|%q0, %a, {}, {}, 0xffffffff;\n"
                                    "  selp.b32 %e, 1, 0, %q0;",
                                    mode, b, c),
                        sequence());
        for (int lane = 0; lane < 32; ++lane) {
          const auto [from, in_range] = shuffled(mode, lane, b, c);
          const auto at = static_cast<std::size_t>(lane);
          EXPECT_EQ(got[at], 100u + static_cast<unsigned>(from))
              << mode << " " << width << " " << b;
          EXPECT_EQ(got[at + 32], in_range ? 1u : 0u) << mode << " " << width << " " << b;
        }
      }
    }
  }
}

TEST(Shuffle, TakesItsLaneFromARegister) {
  Words a(32);
  for (unsigned i = 0; i < 32; ++i) a[i] = (7 * i + 3) % 32;
  const Words got = warp_values("shfl.sync.idx.b32 %d, %a, %a, 31, 0xffffffff;", a);
  for (unsigned i = 0; i < 32; ++i) EXPECT_EQ(got[i], a[a[i]]);
}

TEST(Shuffle, ReportsALaneThatTakesNoPart) {
  PtxDevice device;
  device.options.checks.init = false;
  const Address result = device.upload(Words(32));
  const Outcome outcome = device.run_body(
      "  .reg .b32 %d;\n  .reg .pred %q;\n  .reg .b64 %out;\n  setp.ge.u32 %q, %lane, 16;\n"
      "  @%q ret;\n  mad.wide.u32 %out, %lane, 4, %p0;\n"
      "  shfl.sync.idx.b32 %d, %lane, 20, 31, 0x0000ffff;\n  st.global.b32 [%out], %d;\n",
      {}, {result});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_EQ(device.count(ReportKind::absent_lane), 16);
}

// Two halves of a warp with masks of their own may happen to be there together.
TEST(Shuffle, ReportsALaneThatTheMaskLeavesOut) {
  PtxDevice device;
  const Outcome outcome = device.run_body(
      "  .reg .b32 %d, %m;\n  .reg .pred %q;\n  setp.lt.u32 %q, %lane, 16;\n"
      "  selp.b32 %m, 0x0000ffff, 0xffff0000, %q;\n"
      "  shfl.sync.down.b32 %d, %lane, 1, 31, %m;\n",
      {}, {});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_EQ(device.count(ReportKind::absent_lane), 1);
}

const std::vector<std::uint32_t> kMembers{0xffffffff, 0x0000ffff, 0x80000001, 0x5a5a0ff0};

TEST(Vote, AsksTheMembers) {
  // Lane l votes yes where bit l of `yes` is set.
  for (const std::uint32_t members : kMembers) {
    for (const std::uint32_t yes : {0u, 0xffffffffu, members, 0x12345678u}) {
      Words a(32);
      for (unsigned i = 0; i < 32; ++i) a[i] = (yes >> i) & 1;
      const auto vote = [&](const std::string& how, bool ballot) {
        const std::string result = ballot ? "%d, " : "%q1, ";
        return warp_values(
            fmt::format("setp.ne.u32 %q0, %a, 0;\n  vote.sync.{} {}%q0, {};\n{}", how, result,
                        members, ballot ? "" : "  selp.b32 %d, 1, 0, %q1;"),
            a, members);
      };
      const std::uint32_t in_favour = yes & members;
      const std::pair<const char*, std::uint32_t> expected[] = {
          {"all.pred", in_favour == members ? 1 : 0},
          {"any.pred", in_favour != 0 ? 1 : 0},
          {"uni.pred", in_favour == members || in_favour == 0 ? 1 : 0},
          {"ballot.b32", in_favour}};
      for (const auto& [how, want] : expected) {
        const Words got = vote(how, std::string(how) == "ballot.b32");
        for (unsigned i = 0; i < 32; ++i) {
          if (((members >> i) & 1) == 0) continue;
          EXPECT_EQ(got[i], want) << how << " " << yes;
        }
      }
    }
  }
}

TEST(Match, FindsEqualValues) {
  Words a(32);
  for (unsigned i = 0; i < 32; ++i) a[i] = i * i % 5;
  for (const std::uint32_t members : kMembers) {
    const Words any =
        warp_values(fmt::format("match.any.sync.b32 %d, %a, {};", members), a, members);
    const Words all = warp_values(fmt::format("match.all.sync.b32 %d|%q0, %a, {};\n"
                                              "  selp.b32 %e, 1, 0, %q0;",
                                              members),
                                  a, members);
    const Words same = warp_values(fmt::format("match.all.sync.b32 %d|%q0, %a, {};\n"
                                               "  selp.b32 %e, 1, 0, %q0;",
                                               members),
                                   Words(32, 9), members);
    std::uint32_t first = 0;
    bool unanimous = true;
    for (unsigned i = 0; i < 32; ++i) {
      if (((members >> i) & 1) == 0) continue;
      first = a[static_cast<std::size_t>(std::countr_zero(members))];
      unanimous = unanimous && a[i] == first;
    }
    for (unsigned i = 0; i < 32; ++i) {
      if (((members >> i) & 1) == 0) continue;
      std::uint32_t want = 0;
      for (unsigned j = 0; j < 32; ++j) {
        if (((members >> j) & 1) != 0 && a[j] == a[i]) want |= 1u << j;
      }
      EXPECT_EQ(any[i], want);
      EXPECT_EQ(all[i], unanimous ? members : 0);
      EXPECT_EQ(all[i + 32], unanimous ? 1u : 0u);
      EXPECT_EQ(same[i], members);
      EXPECT_EQ(same[i + 32], 1u);
    }
  }
}

TEST(Redux, ReducesOverTheMembers) {
  Words a(32);
  for (unsigned i = 0; i < 32; ++i) a[i] = i * 0x9e3779b9u;
  for (const std::uint32_t members : kMembers) {
    Words taken;
    for (unsigned i = 0; i < 32; ++i) {
      if (((members >> i) & 1) != 0) taken.push_back(a[i]);
    }
    const auto reduced = [&](auto f) {
      return std::accumulate(taken.begin() + 1, taken.end(), taken.front(), f);
    };
    const auto as_signed = [](std::uint32_t v) { return static_cast<std::int32_t>(v); };
    const std::pair<const char*, std::uint32_t> expected[] = {
        {"add.u32", reduced([](auto x, auto y) { return x + y; })},
        {"min.u32", reduced([](auto x, auto y) { return std::min(x, y); })},
        {"max.u32", reduced([](auto x, auto y) { return std::max(x, y); })},
        {"min.s32", reduced([&](auto x, auto y) { return as_signed(x) < as_signed(y) ? x : y; })},
        {"max.s32", reduced([&](auto x, auto y) { return as_signed(x) < as_signed(y) ? y : x; })},
        {"and.b32", reduced([](auto x, auto y) { return x & y; })},
        {"or.b32", reduced([](auto x, auto y) { return x | y; })},
        {"xor.b32", reduced([](auto x, auto y) { return x ^ y; })}};
    for (const auto& [how, want] : expected) {
      const Words got =
          warp_values(fmt::format("redux.sync.{} %d, %a, {};", how, members), a, members);
      for (unsigned i = 0; i < 32; ++i) {
        if (((members >> i) & 1) == 0) continue;
        EXPECT_EQ(got[i], want) << how;
      }
    }
  }
}

TEST(ActiveMask, NamesTheLanesThatAreThere) {
  const Words got = warp_values("activemask.b32 %d;", Words(32), 0x00ff00ff);
  for (unsigned i = 0; i < 32; ++i)
    EXPECT_EQ(got[i], ((0x00ff00ffu >> i) & 1) != 0 ? 0x00ff00ffu : 0xdeadbeef);
}

TEST(Elect, ChoosesOneMember) {
  for (const std::uint32_t members : kMembers) {
    const Words got =
        warp_values(fmt::format("elect.sync %d|%q0, {};\n  selp.b32 %e, 1, 0, %q0;", members),
                    Words(32), members);
    std::uint32_t leaders = 0;
    for (unsigned i = 0; i < 32; ++i) {
      if (((members >> i) & 1) == 0) continue;
      leaders += got[i + 32];
      EXPECT_EQ(got[i + 32], got[i] == i ? 1u : 0u);
      EXPECT_NE((members >> got[i]) & 1, 0u);
    }
    EXPECT_EQ(leaders, 1u);
  }
}

// ---- ldmatrix, stmatrix, movmatrix ----

// Element (row, column) of matrix m, as a number that tells them apart.
std::uint16_t element(int m, int row, int column) {
  return static_cast<std::uint16_t>(m * 64 + row * 8 + column);
}

// What lane l has of a matrix: two elements, the manual's picture.
std::uint32_t fragment(int m, int lane, bool transposed) {
  const int row = lane / 4;
  const int column = lane % 4 * 2;
  return transposed ? static_cast<std::uint32_t>(element(m, column + 1, row)) << 16 |
                          element(m, column, row)
                    : static_cast<std::uint32_t>(element(m, row, column + 1)) << 16 |
                          element(m, row, column);
}

std::string list(int count) {
  std::string text = "{";
  for (int i = 0; i < count; ++i) text += fmt::format("{}%r{}", i == 0 ? "" : ", ", i);
  return text + "}";
}

// Rows of 16 bytes are `stride` bytes apart in shared memory.
std::string matrix_kernel(int count, int stride, const std::string& statements) {
  return fmt::format(
      "  .shared .align 16 .b8 tile[{}];\n  .reg .b32 %r<4>, %at, %x<4>;\n  .reg .b64 %in, %out;\n"
      "  .reg .pred %q;\n  mov.u32 %at, tile;\n  mad.lo.u32 %at, %lane, {}, %at;\n"
      "  mad.wide.u32 %in, %lane, 16, %p0;\n  mad.wide.u32 %out, %lane, 4, %p1;\n"
      "  setp.lt.u32 %q, %lane, {};\n{}",
      32 * stride, stride, 8 * count, statements);
}

class MatrixMove : public ::testing::TestWithParam<std::tuple<int, bool, int>> {};

TEST_P(MatrixMove, LoadsAndStoresInTheManualsOrder) {
  const auto [count, transposed, stride] = GetParam();
  std::vector<std::uint16_t> rows;
  for (int m = 0; m < 4; ++m) {
    for (int i = 0; i < 64; ++i) rows.push_back(element(m, i / 8, i % 8));
  }
  const std::string form =
      fmt::format("sync.aligned.m8n8.x{}{}.shared.b16", count, transposed ? ".trans" : "");
  // Only the lanes whose addresses count have good ones.
  std::string load =
      "  @%q ld.global.v4.b32 {%x0, %x1, %x2, %x3}, [%in];\n"
      "  @%q st.shared.v4.b32 [%at], {%x0, %x1, %x2, %x3};\n"
      "  bar.warp.sync 0xffffffff;\n  @!%q mov.b32 %at, 0;\n";
  load += fmt::format("  ldmatrix.{} {}, [%at];\n", form, list(count));
  for (int i = 0; i < count; ++i)
    load += fmt::format("  st.global.b32 [%out+{}], %r{};\n", 128 * i, i);
  PtxDevice device;
  const Address result = device.upload(Words(128));
  const Outcome loaded =
      device.run_body(matrix_kernel(count, stride, load), {}, {device.upload(rows), result});
  ASSERT_TRUE(loaded.ok()) << loaded.message;
  EXPECT_TRUE(device.messages().empty()) << device.messages().front();
  const Words got = device.download<std::uint32_t>(result, 128);
  Words fragments(128);
  for (int m = 0; m < count; ++m) {
    for (int lane = 0; lane < 32; ++lane) {
      const std::size_t at = element_at(m, 32, lane);
      fragments[at] = fragment(m, lane, transposed);
      EXPECT_EQ(got[at], fragments[at]) << "matrix " << m << ", lane " << lane;
    }
  }
  // 8 rows of 16 bytes go in one pass when they lie in different banks.
  const auto words = static_cast<std::uint64_t>(stride) / 4;
  std::uint64_t passes = 0;  // beyond the first of each matrix
  {
    std::vector<std::uint64_t> uses(32);
    for (std::uint64_t row = 0; row < 8; ++row) {
      for (std::uint64_t i = 0; i < 4; ++i) ++uses[(row * words + i) % 32];
    }
    passes = *std::max_element(uses.begin(), uses.end()) - 1;
  }
  // The store of the same rows before it conflicts alike.
  EXPECT_EQ(device.counters.bank_conflicts, 2 * passes * static_cast<std::uint64_t>(count));
  EXPECT_EQ(device.counters.shared_load.requests, 1u);
  EXPECT_EQ(device.counters.shared_load.bytes, static_cast<std::uint64_t>(128 * count));

  // And back: registers from p0, rows read out as they lie.
  std::string store;
  for (int i = 0; i < count; ++i)
    store += fmt::format("  mad.wide.u32 %in, %lane, 4, %p0;\n  ld.global.b32 %r{}, [%in+{}];\n", i,
                         128 * i);
  store +=
      fmt::format("  @!%q mov.b32 %at, 0;\n  stmatrix.{} [%at], {};\n  bar.warp.sync 0xffffffff;\n",
                  form, list(count));
  store +=
      "  mad.wide.u32 %out, %lane, 16, %p1;\n"
      "  @%q ld.shared.v4.b32 {%x0, %x1, %x2, %x3}, [%at];\n"
      "  @%q st.global.v4.b32 [%out], {%x0, %x1, %x2, %x3};\n";
  const Address stored = device.upload(std::vector<std::uint16_t>(256));
  const Outcome outcome =
      device.run_body(matrix_kernel(count, stride, store), {}, {device.upload(fragments), stored});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  const auto read = device.download<std::uint16_t>(stored, elements_of(64, count));
  for (int i = 0; i < 64 * count; ++i)
    EXPECT_EQ(read[static_cast<std::size_t>(i)], rows[static_cast<std::size_t>(i)]);
}

INSTANTIATE_TEST_SUITE_P(Forms, MatrixMove,
                         ::testing::Combine(::testing::Values(1, 2, 4), ::testing::Bool(),
                                            ::testing::Values(16, 48, 32, 128)),
                         [](const auto& test) {
                           return fmt::format("x{}{}_stride{}", std::get<0>(test.param),
                                              std::get<1>(test.param) ? "_transposed" : "",
                                              std::get<2>(test.param));
                         });

TEST(MatrixInRegisters, IsTransposed) {
  Words a(32);
  for (int lane = 0; lane < 32; ++lane)
    a[static_cast<std::size_t>(lane)] = fragment(0, lane, false);
  const Words got = warp_values("movmatrix.sync.aligned.m8n8.trans.b16 %d, %a;", a);
  for (int lane = 0; lane < 32; ++lane)
    EXPECT_EQ(got[static_cast<std::size_t>(lane)], fragment(0, lane, true));
}

TEST(WholeWarp, IsNeededByMatrixInstructions) {
  for (const char* statement : {"movmatrix.sync.aligned.m8n8.trans.b16 %r0, %r0;",
                                "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%at];"}) {
    PtxDevice device;
    const Outcome outcome = device.run_body(
        fmt::format(
            "  .shared .align 16 .b8 tile[512];\n  .reg .b32 %r<1>, %at;\n  .reg .pred %q;\n"
            "  mov.b32 %r0, 0;\n  mov.u32 %at, tile;\n"
            "  setp.eq.u32 %q, %lane, 5;\n  @%q ret;\n  {}\n",
            statement),
        {}, {});
    EXPECT_EQ(outcome.fault, FaultKind::illegal_instruction) << statement;
    EXPECT_EQ(device.count(ReportKind::divergent_barrier), 1);
  }
}

}  // namespace
}  // namespace vgpu::testing
