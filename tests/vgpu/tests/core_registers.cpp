// Which registers share a row, and which must not.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "tests/vgpu/exec/registers.h"
#include "tests/vgpu/ptx/parser.h"
#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

// Rows of a kernel's registers: %r0 to %r7 of 32 bits, then %d0 to %d3 of 64 bits.
std::vector<std::int32_t> rows_of(const std::string& statements) {
  const ptx::Module module = ptx::parse(
      ".version 8.7\n.target sm_90a\n.address_size 64\n.entry f() {\n"
      ".reg .b32 %r<8>;\n.reg .b64 %d<4>;\n.reg .pred %p;\n" +
      statements + "}\n");
  return shared_rows(module.functions.at(0));
}
constexpr std::size_t kD = 8;  // %d0

TEST(Registers, ShareWhatIsFreeAgain) {
  const auto rows = rows_of(R"(
    mov.b32 %r0, 1;
    add.u32 %r1, %r0, 1;
    add.u32 %r2, %r1, 1;
    cvt.u64.u32 %d0, %r2;
    add.u64 %d1, %d0, 1;
    st.global.u64 [%d1], %d1;
    mov.b32 %r3, 1;
    st.global.u32 [4], %r3;
  )");
  EXPECT_NE(rows[0], rows[1]) << "an instruction may write before it has read all";
  EXPECT_EQ(rows[0], rows[2]);
  EXPECT_NE(rows[kD], rows[2]) << "of another size";
  EXPECT_NE(rows[kD], rows[kD + 1]);
  EXPECT_TRUE(rows[3] == rows[0] || rows[3] == rows[1]);
}

TEST(Registers, ResultsOfOneInstructionAreApart) {
  const auto rows = rows_of(R"(
    mov.b64 %d0, 1;
    mov.b64 {%r0, %r1}, %d0;
    st.global.u32 [4], %r0;
  )");
  EXPECT_NE(rows[0], rows[1]) << "though nobody reads the second";
}

// What a loop needs again is alive to its end, though the text has no later use of it.
TEST(Registers, LivesReachAroundLoops) {
  const auto rows = rows_of(R"(
    mov.b32 %r0, 1;
  again:
    add.u32 %r1, %r0, 1;
    st.global.u32 [4], %r1;
    mov.b32 %r2, 1;
    setp.lt.u32 %p, %r2, 3;
    @%p bra again;
  )");
  EXPECT_NE(rows[0], rows[2]);
  EXPECT_EQ(rows[1], rows[2]);
}

TEST(Registers, LivesReachThroughTablesOfBranches) {
  const auto rows = rows_of(R"(
    mov.b32 %r0, 1;
    mov.b32 %r1, 0;
    bra choose;
  one:
    st.global.u32 [4], %r0;
    exit;
  choose:
    mov.b32 %r2, 1;
    st.global.u32 [4], %r2;
  table: .branchtargets one;
    brx.idx %r1, table;
  )");
  EXPECT_NE(rows[0], rows[2]);
}

TEST(Registers, WhatIsPerhapsNotWrittenHasItsOwn) {
  const auto rows = rows_of(R"(
    mov.b32 %r0, 1;
    st.global.u32 [4], %r0;
    setp.lt.u32 %p, 2, 3;
    @%p bra skip;
    mov.b32 %r1, 1;
  skip:
    st.global.u32 [4], %r1;
    mov.b32 %r2, 1;
    st.global.u32 [4], %r2;
  )");
  EXPECT_EQ(rows[0], rows[2]);
  EXPECT_NE(rows[0], rows[1]);
  EXPECT_EQ(rows[1], 1);
}

// wgmma's sums arrive when they are waited for.
TEST(Registers, WhatIsWrittenLaterHasItsOwn) {
  const auto rows = rows_of(R"(
    mov.b32 %r0, 1;
    st.global.u32 [4], %r0;
    mov.b64 %d0, 1;
    wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%r1, %r2, %r3, %r4}, %d0, %d0, 0, 1, 1, 0, 0;
    mov.b32 %r5, 1;
    st.global.u32 [4], %r5;
  )");
  EXPECT_EQ(rows[0], rows[5]);
  for (std::int32_t r = 1; r <= 4; ++r) EXPECT_EQ(rows[static_cast<std::size_t>(r)], r);
}

// In the second block too, whose warp runs in the frame of the first one's.
TEST(Registers, PoisonStaysWhereNobodyWrites) {
  PtxDevice device;
  const Address out = device.allocate(std::size_t{64} * 4);
  const Outcome outcome = device.run_body(R"(
    .reg .b32 %x, %y, %z, %block;
    .reg .b64 %to;
    .reg .pred %q;
    setp.lt.u32 %q, %lane, 7;
    mov.u32 %y, 3;
    add.u32 %z, %y, %y;
    @%q mov.u32 %x, %z;
    mov.u32 %block, %ctaid.x;
    mad.lo.u32 %block, %block, 32, %thread;
    mad.wide.u32 %to, %block, 4, %p0;
    st.global.u32 [%to], %x;
  )",
                                          threads(32, 2), {out});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  const auto x = device.download<std::uint32_t>(out, 64);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(x[i], i % 32 < 7 ? 6u : ~0u) << i;
}

}  // namespace
}  // namespace vgpu::testing
