// Control flow: divergence and reconvergence, loops, locks, calls, the order of blocks.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

// Statements that store %x of each thread at parameter 0.
constexpr const char* kStoreX =
    "  .reg .b64 %to;\n  mad.wide.u32 %to, %thread, 4, %p0;\n  st.global.u32 [%to], %x;\n";

std::vector<std::uint32_t> run_threads(PtxDevice& device, const std::string& body,
                                       std::uint32_t threads = 32) {
  const Address out = device.allocate(std::size_t{threads} * 4);
  PtxDevice::Shape shape;
  shape.block.x = threads;
  const Outcome outcome =
      device.run_body(".reg .b32 %x, %y, %n;\n.reg .pred %q;\n" + body + kStoreX, shape, {out});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  return device.download<std::uint32_t>(out, threads);
}

TEST(Control, BranchesMeetAgain) {
  PtxDevice device;
  // After the branch all 32 lanes take part in a shuffle again.
  const auto x = run_threads(device,
                             "  setp.lt.u32 %q, %lane, 7;\n  @%q bra low;\n  mov.u32 %x, 100;\n"
                             "  bra.uni join;\nlow:\n  mov.u32 %x, 5;\njoin:\n"
                             "  shfl.sync.idx.b32 %y, %x, 0, 31, -1;\n  add.u32 %x, %x, %y;\n");
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(x[i], i < 7 ? 10u : 105u) << i;
  EXPECT_EQ(device.counters.divergent_branches, 1u);
  EXPECT_EQ(device.counters.warp_instructions[static_cast<std::size_t>(InstructionClass::warp)],
            1u);
}

TEST(Control, LoopsOfDifferentLengthMeetAgain) {
  PtxDevice device;
  const auto x = run_threads(device,
                             "  mov.u32 %x, 0;\n  mov.u32 %n, %lane;\nloop:\n"
                             "  add.u32 %x, %x, %n;\n  sub.u32 %n, %n, 1;\n"
                             "  setp.gt.s32 %q, %n, 0;\n  @%q bra loop;\n"
                             "  vote.sync.ballot.b32 %y, 1, -1;\n  popc.b32 %y, %y;\n"
                             "  mad.lo.u32 %x, %y, 1000, %x;\n");
  for (std::uint32_t i = 0; i < 32; ++i) EXPECT_EQ(x[i], 32000 + i * (i + 1) / 2) << i;
  EXPECT_EQ(device.counters.warp_instructions[static_cast<std::size_t>(InstructionClass::warp)],
            1u);
}

// Lanes that leave a long loop early reach the vote before the others and wait there. It is
// executed once, by all of them.
TEST(Control, WaitingForOtherLanesIsNotCounted) {
  PtxDevice device;
  run_threads(device,
              "  mov.u32 %x, 0;\n  setp.lt.u32 %q, %lane, 16;\n  selp.u32 %n, 1, 200, %q;\nloop:\n"
              "  sub.u32 %n, %n, 1;\n  setp.gt.s32 %q, %n, 0;\n  @%q bra loop;\n"
              "  vote.sync.ballot.b32 %y, 1, -1;\n");
  const auto kind = static_cast<std::size_t>(InstructionClass::warp);
  EXPECT_EQ(device.counters.warp_instructions[kind], 1u);
  EXPECT_EQ(device.counters.thread_instructions[kind], 32u);
}

TEST(Control, LanesThatSpinOnALockLetItsHolderRun) {
  PtxDevice device;
  const Address lock = device.upload(std::vector<std::uint32_t>{0, 0});
  PtxDevice::Shape shape;
  shape.block.x = 64;
  const Outcome outcome = device.run_body(
      "  .reg .b32 %old, %v;\n  .reg .pred %q;\n"
      "again:\n  atom.global.cas.b32 %old, [%p0], 0, 1;\n  setp.ne.u32 %q, %old, 0;\n  @%q bra "
      "again;\n"
      "  ld.volatile.global.u32 %v, [%p0+4];\n  add.u32 %v, %v, 1;\n"
      "  st.volatile.global.u32 [%p0+4], %v;\n  membar.gl;\n"
      "  atom.global.exch.b32 %old, [%p0], 0;\n",
      shape, {lock});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_EQ(device.download<std::uint32_t>(lock, 2)[1], 64u);
}

TEST(Control, ABlockWaitsForALaterOne) {
  PtxDevice device;
  const Address flag = device.upload(std::vector<std::uint32_t>{0});
  PtxDevice::Shape shape;
  shape.grid.x = 8;
  // Block 0 spins until block 7 has run, which it can only when both are resident.
  const Outcome outcome = device.run_body(
      "  .reg .b32 %b, %v;\n  .reg .pred %q;\n  mov.u32 %b, %ctaid.x;\n"
      "  setp.eq.u32 %q, %b, 7;\n  @%q st.volatile.global.u32 [%p0], 1;\n"
      "  setp.ne.u32 %q, %b, 0;\n  @%q ret;\n"
      "again:\n  ld.volatile.global.u32 %v, [%p0];\n  setp.eq.u32 %q, %v, 0;\n  @%q bra again;\n",
      shape, {flag});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
}

TEST(Control, HangIsReported) {
  PtxDevice device;
  device.options.watchdog = 10000;
  const Outcome outcome = device.run_body("forever:\n  bra forever;\n", {}, {});
  EXPECT_EQ(outcome.fault, FaultKind::hang);
  EXPECT_EQ(device.count(ReportKind::deadlock), 1);
}

// Block 0 waits on one host thread while block 1 on another stores more often than the watchdog
// lets one wait.
TEST(Control, WaitingForABlockThatStoresIsNoHang) {
  PtxDevice device;
  device.options.threads = 2;
  device.options.watchdog = 1 << 22;
  const Address flag = device.upload(std::vector<std::uint32_t>{0, 0});
  const Outcome outcome = device.run_body(
      "  .reg .b32 %b, %n, %v;\n  .reg .pred %q;\n  setp.ne.u32 %q, %thread, 0;\n  @%q ret;\n"
      "  mov.u32 %b, %ctaid.x;\n  setp.eq.u32 %q, %b, 0;\n  @%q bra wait;\n"
      "  mov.u32 %n, 8388608;\nwork:\n  st.global.u32 [%p0+4], %n;\n  sub.u32 %n, %n, 1;\n"
      "  setp.ne.u32 %q, %n, 0;\n  @%q bra work;\n  st.volatile.global.u32 [%p0], 1;\n  ret;\n"
      "wait:\n  ld.volatile.global.u32 %v, [%p0];\n  setp.eq.u32 %q, %v, 0;\n  @%q bra wait;\n",
      threads(1024, 2), {flag});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
}

TEST(Control, EachSeedRunsEveryBlockOnce) {
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    PtxDevice device;
    device.options.seed = seed;
    device.options.threads = seed % 2 == 0 ? 1 : 3;
    const Address order = device.upload(std::vector<std::uint32_t>(101, 0));
    PtxDevice::Shape shape;
    shape.grid = {10, 5, 2};
    const Outcome outcome = device.run_body(
        "  .reg .b32 %x, %y, %z, %at;\n  .reg .b64 %to;\n  .reg .pred %q;\n"
        "  setp.ne.u32 %q, %thread, 0;\n  @%q ret;\n"
        "  mov.u32 %x, %ctaid.x;\n  mov.u32 %y, %ctaid.y;\n  mov.u32 %z, %ctaid.z;\n"
        "  mad.lo.u32 %y, %z, 5, %y;\n  mad.lo.u32 %x, %y, 10, %x;\n"
        "  atom.global.add.u32 %at, [%p0+400], 1;\n  mad.wide.u32 %to, %x, 4, %p0;\n"
        "  add.u32 %at, %at, 1;\n  st.global.u32 [%to], %at;\n",
        shape, {order});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    auto turn = device.download<std::uint32_t>(order, 100);
    const bool in_order = std::is_sorted(turn.begin(), turn.end());
    EXPECT_EQ(in_order, seed == 0) << "seed " << seed;
    std::sort(turn.begin(), turn.end());
    std::vector<std::uint32_t> all(100);
    std::iota(all.begin(), all.end(), 1);
    EXPECT_EQ(turn, all) << "seed " << seed;
  }
}

// ---- calls ----

constexpr const char* kFunctions =
    ".version 8.7\n.target sm_90\n.address_size 64\n"
    ".func (.param .b32 r) fib (.param .b32 n)\n{\n"
    "  .reg .b32 %n, %a, %b;\n  .reg .pred %q;\n  ld.param.b32 %n, [n];\n"
    "  setp.lt.u32 %q, %n, 2;\n  @%q bra small;\n"
    "  {\n  .param .b32 p;\n  .param .b32 v;\n  sub.u32 %a, %n, 1;\n  st.param.b32 [p], %a;\n"
    "  call (v), fib, (p);\n  ld.param.b32 %a, [v];\n  }\n"
    "  {\n  .param .b32 p;\n  .param .b32 v;\n  sub.u32 %b, %n, 2;\n  st.param.b32 [p], %b;\n"
    "  call (v), fib, (p);\n  ld.param.b32 %b, [v];\n  }\n"
    "  add.u32 %n, %a, %b;\nsmall:\n  st.param.b32 [r], %n;\n  ret;\n}\n"
    ".func (.param .b32 r) twice (.param .b32 n)\n{\n  .reg .b32 %n;\n  ld.param.b32 %n, [n];\n"
    "  shl.b32 %n, %n, 1;\n  st.param.b32 [r], %n;\n  ret;\n}\n"
    ".global .u64 table[2] = {fib, twice};\n"
    ".visible .entry test(.param .u64 out)\n{\n  .reg .b32 %x, %t;\n  .reg .b64 %p, %f;\n"
    "  ld.param.u64 %p, [out];\n  mov.u32 %t, %tid.x;\n  mad.wide.u32 %p, %t, 4, %p;\n";

TEST(Control, RecursionDiffersByLane) {
  PtxDevice device;
  const Address out = device.allocate(16 * sizeof(std::uint32_t));
  PtxDevice::Shape shape;
  shape.block.x = 16;
  const Outcome outcome = device.run(
      std::string(kFunctions) +
          "  .param .b32 a;\n  .param .b32 v;\n  st.param.b32 [a], %t;\n  call (v), fib, (a);\n"
          "  ld.param.b32 %x, [v];\n  st.global.u32 [%p], %x;\n  ret;\n}\n",
      shape, {out});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  std::vector<std::uint32_t> expected = {0, 1};
  while (expected.size() < 16) expected.push_back(expected.end()[-1] + expected.end()[-2]);
  EXPECT_EQ(device.download<std::uint32_t>(out, 16), expected);
}

TEST(Control, IndirectCallsDifferByLane) {
  PtxDevice device;
  const Address out = device.allocate(32 * sizeof(std::uint32_t));
  const Outcome outcome = device.run(
      std::string(kFunctions) +
          "  .reg .b64 %at;\n  .reg .b32 %o;\n  and.b32 %o, %t, 1;\n  mov.u64 %at, table;\n"
          "  mad.wide.u32 %at, %o, 8, %at;\n  ld.global.u64 %f, [%at];\n"
          "  .param .b32 a;\n  .param .b32 v;\n  st.param.b32 [a], 10;\n"
          "  proto: .callprototype (.param .b32 _) _ (.param .b32 _);\n"
          "  call (v), %f, (a), proto;\n  ld.param.b32 %x, [v];\n  st.global.u32 [%p], %x;\n  "
          "ret;\n}\n",
      {}, {out});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  const auto x = device.download<std::uint32_t>(out, 32);
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(x[i], i % 2 == 0 ? 55u : 20u) << i;
}

TEST(Control, IndexedBranch) {
  PtxDevice device;
  const auto x =
      run_threads(device,
                  "  and.b32 %n, %lane, 3;\n"
                  "  targets: .branchtargets a, b, c, d;\n  brx.idx %n, targets;\n"
                  "a:\n  mov.u32 %x, 10;\n  bra end;\nb:\n  mov.u32 %x, 11;\n  bra end;\n"
                  "c:\n  mov.u32 %x, 12;\n  bra end;\nd:\n  mov.u32 %x, 13;\nend:\n");
  for (std::size_t i = 0; i < 32; ++i) EXPECT_EQ(x[i], 10 + i % 4) << i;
}

// Shared memory is given out by 128 bytes: four blocks of 46,720 fit where five of 46,694 would.
TEST(Control, OccupancyCountsSharedMemoryInPieces) {
  EXPECT_EQ(resident_blocks(KernelInfo{}, 32, 45'670), 4u);
  EXPECT_EQ(resident_blocks(KernelInfo{}, 32, 45'568), 5u);
}

TEST(Control, DirectivesOfClustersAreHeeded) {
  PtxDevice device;
  PtxDevice::Shape shape;
  shape.grid = shape.cluster = {4, 1, 1};
  const auto run = [&](const std::string& directives) {
    return device.run(".version 9.0\n.target sm_90\n.address_size 64\n.visible .entry test()\n" +
                          directives + "\n{\n  ret;\n}\n",
                      shape, {});
  };
  EXPECT_TRUE(run(".maxclusterrank 4").ok());
  const Outcome large = run(".maxclusterrank 3");
  EXPECT_NE(large.message.find("at most 3 blocks"), std::string::npos) << large.message;
  const Outcome clusters = run(".blocksareclusters .reqntid 32 .reqnctapercluster 4");
  EXPECT_NE(clusters.message.find(".blocksareclusters"), std::string::npos) << clusters.message;
}

TEST(Control, UnknownInstructionIsRefusedByName) {
  PtxDevice device;
  const Outcome outcome =
      device.run_body("  vadd4.u32.u32.u32 %lane, %lane, %lane, %lane;\n", {}, {});
  EXPECT_EQ(outcome.fault, FaultKind::unsupported);
  EXPECT_NE(outcome.message.find("vadd4.u32.u32.u32"), std::string::npos) << outcome.message;
  for (const char* statement : {"add.surprising.u32 %lane, %lane, %lane;", "fence.surprising.gpu;",
                                "membar.surprising;", "setmaxnreg.inc.sync.aligned.u32 23;"}) {
    EXPECT_EQ(device.run_body(statement, {}, {}).fault, FaultKind::unsupported) << statement;
  }
  for (const char* statement :
       {"setmaxnreg.inc.sync.aligned.u32 232;", "fence.sc.sys;", "fence.acq_rel.gpu;",
        "fence.acquire.cluster;", "fence.mbarrier_init.release.cluster;", "membar.cta;",
        "fence.proxy.async;", "fence.proxy.async.shared::cta;", "fence.proxy.async.global;"}) {
    EXPECT_TRUE(device.run_body(statement, {}, {}).ok()) << statement;
  }
}

}  // namespace
}  // namespace vgpu::testing
