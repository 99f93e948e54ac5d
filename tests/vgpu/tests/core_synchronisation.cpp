// Barriers of warps, blocks and clusters, and what is reported when threads do not meet.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

// The statements have to succeed, without a race or any other report.
void run_silently(PtxDevice& device, std::string_view body, const PtxDevice::Shape& shape,
                  const std::vector<std::uint64_t>& parameters) {
  device.options.checks.race = true;
  const Outcome outcome = device.run_body(body, shape, parameters);
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  ASSERT_TRUE(device.messages().empty()) << device.messages().front();
}

TEST(Synchronisation, BarrierOrdersSharedMemory) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    PtxDevice device;
    device.options.seed = seed;
    const Address out = device.allocate(128 * sizeof(std::uint32_t));
    run_silently(
        device,
        "  .shared .align 4 .b8 buffer[512];\n  .reg .b32 %a, %i, %x;\n  .reg .b64 %to;\n"
        "  mov.u32 %a, buffer;\n  mad.lo.u32 %i, %thread, 4, %a;\n  st.shared.u32 [%i], %thread;\n"
        "  bar.sync 0;\n  sub.u32 %i, 127, %thread;\n  mad.lo.u32 %i, %i, 4, %a;\n"
        "  ld.shared.u32 %x, [%i];\n  mad.wide.u32 %to, %thread, 4, %p0;\n  st.global.u32 [%to], "
        "%x;\n",
        threads(128), {out});
    const auto x = device.download<std::uint32_t>(out, 128);
    for (std::uint32_t i = 0; i < 128; ++i) EXPECT_EQ(x[i], 127 - i);
    EXPECT_EQ(device.counters.barriers, 4u);
  }
}

TEST(Synchronisation, ProducersArriveAndConsumersWait) {
  PtxDevice device;
  const Address out = device.allocate(32 * sizeof(std::uint32_t));
  // Warp 1 stores and arrives; warp 0 waits and loads. The barrier counts both warps.
  run_silently(
      device,
      "  .shared .align 4 .b8 buffer[128];\n  .reg .b32 %a, %x;\n  .reg .b64 %to;\n  .reg .pred "
      "%q;\n"
      "  mov.u32 %a, buffer;\n  mad.lo.u32 %a, %lane, 4, %a;\n  setp.lt.u32 %q, %thread, 32;\n"
      "  @%q bra consumer;\n  st.shared.u32 [%a], %thread;\n  bar.arrive 3, 64;\n  ret;\n"
      "consumer:\n  bar.sync 3, 64;\n  ld.shared.u32 %x, [%a];\n"
      "  mad.wide.u32 %to, %lane, 4, %p0;\n  st.global.u32 [%to], %x;\n",
      threads(64), {out});
  EXPECT_EQ(device.download<std::uint32_t>(out, 32)[5], 37u);
}

TEST(Synchronisation, BarrierReduces) {
  PtxDevice device;
  const Address out = device.allocate(3 * sizeof(std::uint32_t));
  run_silently(
      device,
      "  .reg .b32 %n, %x, %y;\n  .reg .pred %q, %all, %any;\n"
      "  setp.lt.u32 %q, %thread, 70;\n  bar.red.popc.u32 %n, 0, %q;\n"
      "  bar.red.and.pred %all, 0, %q;\n  bar.red.or.pred %any, 0, %q;\n"
      "  selp.u32 %x, 1, 0, %all;\n  selp.u32 %y, 1, 0, %any;\n"
      "  setp.ne.u32 %q, %thread, 95;\n  @%q ret;\n"
      "  st.global.u32 [%p0], %n;\n  st.global.u32 [%p0+4], %x;\n  st.global.u32 [%p0+8], %y;\n",
      threads(96), {out});
  EXPECT_EQ(device.download<std::uint32_t>(out, 3), (std::vector<std::uint32_t>{70, 0, 1}));
}

TEST(Synchronisation, ExitedThreadsAreNotWaitedFor) {
  PtxDevice device;
  run_silently(device,
               "  .reg .pred %q;\n  setp.ge.u32 %q, %thread, 40;\n  @%q ret;\n  bar.sync 0;\n",
               threads(128), {});
}

TEST(Synchronisation, LanesAtDifferentBarriersAreReported) {
  PtxDevice device;
  const Outcome outcome = device.run_body(
      "  .reg .pred %q;\n  setp.lt.u32 %q, %lane, 16;\n  @%q bra low;\n  bar.sync 0;\n  bra end;\n"
      "low:\n  bar.sync 0;\nend:\n",
      threads(64), {});
  EXPECT_EQ(outcome.fault, FaultKind::hang);
  EXPECT_EQ(device.count(ReportKind::divergent_barrier), 1) << outcome.message;
}

TEST(Synchronisation, ABarrierThatNotAllReachIsADeadlock) {
  PtxDevice device;
  const Outcome outcome = device.run_body(
      "  .reg .pred %q;\n  setp.lt.u32 %q, %thread, 32;\n  @%q bar.sync 1, 64;\n  bar.sync 0;\n",
      threads(64), {});
  EXPECT_EQ(outcome.fault, FaultKind::hang);
  EXPECT_EQ(device.count(ReportKind::deadlock) + device.count(ReportKind::divergent_barrier), 1);
  EXPECT_NE(outcome.message.find("warp 1"), std::string::npos) << outcome.message;
}

TEST(Synchronisation, WarpSyncInBothBranches) {
  PtxDevice device;
  const Address out = device.allocate(32 * sizeof(std::uint32_t));
  // Each half synchronises by itself, with its own mask.
  run_silently(
      device,
      "  .reg .pred %q;\n  .reg .b32 %m, %x;\n  .reg .b64 %to;\n  setp.lt.u32 %q, %lane, 16;\n"
      "  selp.b32 %m, 0xffff, 0xffff0000, %q;\n  @%q bra low;\n"
      "  bar.warp.sync %m;\n  bra join;\nlow:\n  bar.warp.sync %m;\njoin:\n"
      "  redux.sync.add.u32 %x, %lane, %m;\n"
      "  mad.wide.u32 %to, %lane, 4, %p0;\n  st.global.u32 [%to], %x;\n",
      threads(32), {out});
  const auto x = device.download<std::uint32_t>(out, 32);
  EXPECT_EQ(x[3], 120u);
  EXPECT_EQ(x[20], 376u);
}

TEST(Synchronisation, ClusterBlocksReadOneAnothersMemory) {
  PtxDevice device;
  const Address out = device.allocate(4 * sizeof(std::uint32_t));
  PtxDevice::Shape shape = threads(32);
  shape.grid.x = 4;
  shape.cluster = {4, 1, 1};
  run_silently(
      device,
      "  .shared .align 4 .b8 own[4];\n  .reg .b32 %a, %rank, %next, %x, %v;\n  .reg .b64 %to;\n"
      "  .reg .pred %q;\n  mov.u32 %rank, %cluster_ctarank;\n  mov.u32 %a, own;\n"
      "  setp.eq.u32 %q, %thread, 0;\n  mad.lo.u32 %v, %rank, 10, 7;\n  @%q st.shared.u32 [%a], "
      "%v;\n"
      "  barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n"
      "  add.u32 %next, %rank, 1;\n  and.b32 %next, %next, 3;\n"
      "  mapa.shared::cluster.u32 %a, %a, %next;\n  ld.shared::cluster.u32 %x, [%a];\n"
      "  mad.wide.u32 %to, %rank, 4, %p0;\n  @%q st.global.u32 [%to], %x;\n"
      "  barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n",
      shape, {out});
  EXPECT_EQ(device.download<std::uint32_t>(out, 4), (std::vector<std::uint32_t>{17, 27, 37, 7}));
}

TEST(Synchronisation, ReadingABlockThatHasExitedIsReported) {
  PtxDevice device;
  PtxDevice::Shape shape = threads(32);
  shape.grid.x = 2;
  shape.cluster = {2, 1, 1};
  const Outcome outcome = device.run_body(
      "  .shared .align 4 .b8 own[4];\n  .reg .b32 %a, %rank, %i;\n  .reg .pred %q;\n"
      "  mov.u32 %a, own;\n  st.shared.u32 [%a], 1;\n  barrier.cluster.arrive;\n  "
      "barrier.cluster.wait;\n"
      "  mov.u32 %rank, %cluster_ctarank;\n  setp.eq.u32 %q, %rank, 1;\n  @%q ret;\n"
      "  mov.u32 %i, 0;\nagain:\n  nanosleep.u32 1;\n  add.u32 %i, %i, 1;\n"
      "  setp.lt.u32 %q, %i, 100;\n  @%q bra again;\n"
      "  mapa.shared::cluster.u32 %a, %a, 1;\n  ld.shared::cluster.u32 %i, [%a];\n",
      shape, {});
  EXPECT_EQ(outcome.fault, FaultKind::illegal_address) << outcome.message;
  EXPECT_NE(outcome.message.find("has exited"), std::string::npos);
}

TEST(Synchronisation, MbarrierPhases) {
  PtxDevice device;
  const Address out = device.allocate(64 * sizeof(std::uint32_t));
  run_silently(
      device,
      "  .shared .align 8 .b8 barrier[8];\n  .shared .align 4 .b8 buffer[256];\n"
      "  .reg .b32 %b, %a, %o, %x;\n  .reg .b64 %state, %to;\n  .reg .pred %q;\n"
      "  mov.u32 %b, barrier;\n  setp.eq.u32 %q, %thread, 0;\n"
      "  @%q mbarrier.init.shared.b64 [%b], 64;\n  bar.sync 0;\n"
      "  mov.u32 %a, buffer;\n  mad.lo.u32 %o, %thread, 4, %a;\n  st.shared.u32 [%o], %thread;\n"
      "  mbarrier.arrive.shared.b64 %state, [%b];\n"
      "wait:\n  mbarrier.try_wait.shared.b64 %q, [%b], %state;\n  @!%q bra wait;\n"
      "  xor.b32 %o, %thread, 63;\n  mad.lo.u32 %o, %o, 4, %a;\n  ld.shared.u32 %x, [%o];\n"
      "  mad.wide.u32 %to, %thread, 4, %p0;\n  st.global.u32 [%to], %x;\n",
      threads(64), {out});
  EXPECT_EQ(device.download<std::uint32_t>(out, 64)[3], 60u);
}

TEST(Synchronisation, AnMbarrierThatNeverCompletesIsADeadlock) {
  PtxDevice device;
  const Outcome outcome = device.run_body(
      "  .shared .align 8 .b8 barrier[8];\n  .reg .b32 %b;\n  .reg .pred %q;\n"
      "  mov.u32 %b, barrier;\n  setp.eq.u32 %q, %thread, 0;\n"
      "  @%q mbarrier.init.shared.b64 [%b], 33;\n  bar.warp.sync -1;\n"
      "  mbarrier.arrive.shared.b64 _, [%b];\n"
      "wait:\n  mbarrier.try_wait.parity.shared.b64 %q, [%b], 0;\n  @!%q bra wait;\n",
      threads(32), {});
  EXPECT_EQ(outcome.fault, FaultKind::hang);
  EXPECT_EQ(device.count(ReportKind::deadlock), 1);
}

}  // namespace
}  // namespace vgpu::testing
