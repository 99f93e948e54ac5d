// Asynchronous copies and mbarriers, one warp or two blocks at a time: what arrives when, what is
// there before, and which misuse is found.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

constexpr int kFloats = 128;  // four a lane

std::vector<float> numbers() {
  std::vector<float> values(kFloats);
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

// ---- cp.async ----

// Each lane copies 16 bytes of p0 to shared memory; then come `statements`; then it stores the 16
// bytes at %from to p1.
std::vector<float> copy_through_shared(PtxDevice& device, const std::string& copies,
                                       const std::string& statements) {
  const Address result = device.upload(std::vector<float>(kFloats));
  const std::string body = fmt::format(
      "  .shared .align 16 .b8 buffer[512];\n  .reg .b32 %from, %size;\n  .reg .b64 %in, %out;\n"
      "  .reg .f32 %v<4>;\n  .reg .pred %q;\n"
      "  mov.u32 %from, buffer;\n  mad.lo.u32 %from, %lane, 16, %from;\n"
      "  mad.wide.u32 %in, %lane, 16, %p0;\n  mad.wide.u32 %out, %lane, 16, %p1;\n"
      "{}\n{}\n"
      "  ld.shared.v4.f32 {{%v0, %v1, %v2, %v3}}, [%from];\n"
      "  st.global.v4.f32 [%out], {{%v0, %v1, %v2, %v3}};\n",
      copies, statements);
  const Outcome outcome = device.run_body(body, {}, {device.upload(numbers()), result});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  return device.download<float>(result, kFloats);
}

bool all_nan(const std::vector<float>& values) {
  for (const float v : values) {
    if (!std::isnan(v)) return false;
  }
  return true;
}

const std::string kCopy = "  cp.async.cg.shared.global [%from], [%in], 16;\n";
const std::string kCommit = "  cp.async.commit_group;\n";

TEST(CopyAsync, ArrivesAtTheWait) {
  for (const char* wait : {"  cp.async.wait_group 0;\n", "  cp.async.wait_all;\n"}) {
    PtxDevice device;
    EXPECT_EQ(copy_through_shared(device, kCopy + kCommit, wait), numbers());
    EXPECT_TRUE(device.messages().empty());
  }
}

TEST(CopyAsync, IsNanAndCountsAsUnwrittenBefore) {
  // No wait; a wait that allows one group to be pending; a wait for groups without a commit.
  for (const std::string& rest : {kCommit, kCommit + "  cp.async.wait_group 1;\n",
                                  std::string("  cp.async.wait_group 0;\n")}) {
    PtxDevice device;
    EXPECT_TRUE(all_nan(copy_through_shared(device, kCopy, rest))) << rest;
    EXPECT_GE(device.count(ReportKind::uninitialised), 1) << rest;
  }
}

TEST(CopyAsync, WaitsForOlderGroupsAlone) {
  PtxDevice device;
  const std::string second =
      "  cp.async.ca.shared.global [%from+8], [%in], 8;\n  cp.async.commit_group;\n";
  const auto got = copy_through_shared(
      device, "  cp.async.ca.shared.global [%from], [%in+8], 8;\n" + kCommit + second,
      "  cp.async.wait_group 1;\n");
  for (int lane = 0; lane < 32; ++lane) {
    const std::size_t at = 4 * static_cast<std::size_t>(lane);
    EXPECT_EQ(got[at], numbers()[at + 2]);
    EXPECT_EQ(got[at + 1], numbers()[at + 3]);
    EXPECT_TRUE(std::isnan(got[at + 2]) && std::isnan(got[at + 3]));
  }
}

TEST(CopyAsync, FillsUpWithZeros) {
  PtxDevice device;
  // Lane l takes 4 (l % 5) bytes.
  const auto got = copy_through_shared(device,
                                       "  rem.u32 %size, %lane, 5;\n  shl.b32 %size, %size, 2;\n"
                                       "  cp.async.cg.shared.global [%from], [%in], 16, %size;\n",
                                       "  cp.async.wait_all;\n");
  for (int i = 0; i < kFloats; ++i) {
    const auto at = static_cast<std::size_t>(i);
    EXPECT_EQ(got[at], i % 4 < i / 4 % 5 ? numbers()[at] : 0.0f) << i;
  }
}

TEST(CopyAsync, ThatTakesAPartIsCheckedAndCountedLikeAnother) {
  PtxDevice device;
  copy_through_shared(device, "  cp.async.cg.shared.global [%from], [%in], 16, 8;\n",
                      "  cp.async.wait_all;\n");
  EXPECT_EQ(device.counters.global_load.requests, 1u);
  EXPECT_EQ(device.counters.global_load.sectors, 16u);
  EXPECT_EQ(device.counters.global_load.bytes, 256u);
  const Address in = device.upload(numbers());
  const Outcome outcome = device.run_body(
      "  .shared .align 16 .b8 buffer[512];\n  .reg .b32 %to;\n  mov.u32 %to, buffer;\n"
      "  cp.async.cg.shared.global [%to], [%p0+4], 16, 8;\n  cp.async.wait_all;\n",
      {}, {in});
  EXPECT_EQ(outcome.fault, FaultKind::misaligned_address) << outcome.message;
}

TEST(CopyAsync, MayReadNothingFromABadAddress) {
  PtxDevice device;
  const auto got = copy_through_shared(
      device, "  mov.b64 %in, 0;\n  cp.async.cg.shared.global [%from], [%in], 16, 0;\n",
      "  cp.async.wait_all;\n");
  EXPECT_EQ(got, std::vector<float>(kFloats));
  EXPECT_TRUE(device.messages().empty());
}

TEST(CopyAsync, TakesItsSourceAtTheWait) {
  PtxDevice device;
  const auto got = copy_through_shared(
      device, kCopy + kCommit,
      "  mov.f32 %v0, 0f00000000;\n  st.global.f32 [%in], %v0;\n  cp.async.wait_all;\n");
  for (int lane = 0; lane < 32; ++lane) EXPECT_EQ(got[static_cast<std::size_t>(4 * lane)], 0.0f);
}

TEST(CopyAsync, ChecksBothAddresses) {
  for (const char* copy : {"  cp.async.cg.shared.global [%from+8], [%in], 16;\n",
                           "  cp.async.cg.shared.global [%from], [%in+4], 16;\n",
                           "  cp.async.cg.shared.global [%from+512], [%in], 16;\n",
                           "  cp.async.cg.shared.global [%from], [%in+512], 16;\n"}) {
    PtxDevice device;
    const Address result = device.upload(std::vector<float>(kFloats));
    const Outcome outcome = device.run_body(
        fmt::format("  .shared .align 16 .b8 buffer[512];\n  .reg .b32 %from;\n  .reg .b64 %in;\n"
                    "  mov.u32 %from, buffer;\n  mad.lo.u32 %from, %lane, 16, %from;\n"
                    "  mad.wide.u32 %in, %lane, 16, %p0;\n{}",
                    copy),
        {}, {device.upload(numbers()), result});
    EXPECT_FALSE(outcome.ok()) << copy;
  }
}

// ---- mbarrier ----

// One thread; a barrier at %b that was initialised with `count`. `statements` leave their results
// in %r0 to %r3, which are given back.
std::vector<std::uint32_t> with_barrier(PtxDevice& device, int count, const std::string& statements,
                                        Outcome* outcome = nullptr) {
  const Address result = device.upload(std::vector<std::uint32_t>(4));
  const std::string body = fmt::format(
      "  .shared .align 8 .b64 barrier;\n  .reg .b32 %b, %r<4>;\n  .reg .b64 %s<3>;\n"
      "  .reg .pred %q<4>;\n  mov.u32 %b, barrier;\n"
      "  mov.b32 %r0, 0;\n  mov.b32 %r1, 0;\n  mov.b32 %r2, 0;\n  mov.b32 %r3, 0;\n"
      "  mbarrier.init.shared::cta.b64 [%b], {};\n{}\n"
      "  st.global.b32 [%p0], %r0;\n  st.global.b32 [%p0+4], %r1;\n"
      "  st.global.b32 [%p0+8], %r2;\n  st.global.b32 [%p0+12], %r3;\n",
      count, statements);
  PtxDevice::Shape shape;
  shape.block.x = 1;
  const Outcome got = device.run_body(body, shape, {result});
  if (outcome != nullptr) {
    *outcome = got;
  } else {
    EXPECT_TRUE(got.ok()) << got.message;
  }
  return device.download<std::uint32_t>(result, 4);
}

std::string test_parity(int result, int parity) {
  return fmt::format(
      "  mbarrier.test_wait.parity.shared::cta.b64 %q{0}, [%b], {1};\n"
      "  selp.b32 %r{0}, 1, 0, %q{0};\n",
      result, parity);
}

using Results = std::vector<std::uint32_t>;

TEST(Mbarrier, CompletesAPhaseWithItsLastArrival) {
  PtxDevice device;
  const std::string arrive = "  mbarrier.arrive.shared::cta.b64 %s0, [%b];\n";
  // Phase 0 is not over after one of two arrivals; then it is, and phase 1 is not. The phase before
  // the first counts as over.
  EXPECT_EQ(with_barrier(device, 2,
                         test_parity(0, 1) + arrive + test_parity(1, 0) + arrive +
                             test_parity(2, 0) + test_parity(3, 1)),
            (Results{1, 0, 1, 0}));
  EXPECT_EQ(with_barrier(device, 3,
                         "  mbarrier.arrive.shared::cta.b64 _, [%b], 3;\n" + test_parity(0, 0) +
                             "  mbarrier.arrive.shared::cta.b64 _, [%b], 2;\n" + test_parity(1, 1) +
                             arrive + test_parity(2, 1)),
            (Results{1, 0, 1, 0}));
}

TEST(Mbarrier, TestsTheStateOfAnArrival) {
  PtxDevice device;
  EXPECT_EQ(with_barrier(device, 2,
                         "  mbarrier.arrive.shared::cta.b64 %s0, [%b];\n"
                         "  mbarrier.test_wait.shared::cta.b64 %q0, [%b], %s0;\n"
                         "  selp.b32 %r0, 1, 0, %q0;\n"
                         "  mbarrier.arrive.shared::cta.b64 %s1, [%b];\n"
                         "  mbarrier.try_wait.shared::cta.b64 %q1, [%b], %s0;\n"
                         "  selp.b32 %r1, 1, 0, %q1;\n"
                         "  mbarrier.pending_count.b64 %r2, %s0;\n"
                         "  mbarrier.pending_count.b64 %r3, %s1;\n"),
            (Results{0, 1, 2, 1}));
}

TEST(Mbarrier, DropsAThreadForLaterPhases) {
  PtxDevice device;
  const std::string arrive = "  mbarrier.arrive.shared::cta.b64 %s0, [%b];\n";
  EXPECT_EQ(with_barrier(device, 2,
                         "  mbarrier.arrive_drop.shared::cta.b64 %s0, [%b];\n" + test_parity(0, 0) +
                             arrive + test_parity(1, 0) + arrive + test_parity(2, 1)),
            (Results{0, 1, 1, 0}));
}

TEST(Mbarrier, CountsBytes) {
  PtxDevice device;
  const std::string complete =
      "  mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%b], 64;\n";
  EXPECT_EQ(with_barrier(device, 1,
                         "  mbarrier.arrive.expect_tx.shared::cta.b64 _, [%b], 128;\n" +
                             test_parity(0, 0) + complete + test_parity(1, 0) + complete +
                             test_parity(2, 0)),
            (Results{0, 0, 1, 0}));
  // Bytes may come before they are announced, as long as the phase lasts.
  EXPECT_EQ(with_barrier(device, 2,
                         complete + "  mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%b], 64;\n" +
                             test_parity(0, 0) + "  mbarrier.arrive.shared::cta.b64 _, [%b], 2;\n" +
                             test_parity(1, 0)),
            (Results{0, 1, 0, 0}));
}

TEST(Mbarrier, RefusesWhatOverruns) {
  for (const char* statements : {"  mbarrier.arrive.shared::cta.b64 _, [%b], 2;\n",
                                 "  mbarrier.arrive.shared::cta.b64 _, [%b], 0;\n",
                                 "  mbarrier.init.shared::cta.b64 [%b], 0;\n",
                                 "  mbarrier.inval.shared::cta.b64 [%b];\n"
                                 "  mbarrier.arrive.shared::cta.b64 _, [%b];\n"}) {
    PtxDevice device;
    Outcome outcome;
    with_barrier(device, 1, statements, &outcome);
    EXPECT_EQ(outcome.fault, FaultKind::illegal_instruction) << statements;
  }
}

TEST(Mbarrier, ReportsAWaitThatNeverEnds) {
  PtxDevice device;
  Outcome outcome;
  with_barrier(
      device, 1,
      "again:\n  mbarrier.try_wait.parity.shared::cta.b64 %q0, [%b], 0;\n  @!%q0 bra again;\n",
      &outcome);
  EXPECT_EQ(outcome.fault, FaultKind::hang);
  EXPECT_EQ(device.count(ReportKind::deadlock), 1);
}

// Warp 0 hands numbers to warp 1 and back, in many phases.
TEST(Mbarrier, HandsOverBetweenWarps) {
  const std::string body =
      "  .shared .align 8 .b64 full;\n  .shared .align 8 .b64 empty;\n  .shared .b32 cell;\n"
      "  .reg .b32 %f, %e, %c, %i, %v, %sum, %parity;\n  .reg .pred %q, %w, %l;\n"
      "  mov.u32 %f, full;\n  mov.u32 %e, empty;\n  mov.u32 %c, cell;\n"
      "  setp.eq.u32 %q, %thread, 0;\n  setp.eq.u32 %l, %lane, 0;\n"
      "  @%q mbarrier.init.shared::cta.b64 [%f], 1;\n  @%q mbarrier.init.shared::cta.b64 [%e], 1;\n"
      "  bar.sync 0;\n  @!%l ret;\n  setp.lt.u32 %w, %thread, 32;\n"
      "  mov.b32 %i, 0;\n  mov.b32 %sum, 0;\n  @!%w bra consume;\n"
      "produce:\n  and.b32 %parity, %i, 1;\n  xor.b32 %parity, %parity, 1;\n"
      "wait_empty:\n  mbarrier.try_wait.parity.shared::cta.b64 %q, [%e], %parity;\n"
      "  @!%q bra wait_empty;\n  st.shared.b32 [%c], %i;\n"
      "  mbarrier.arrive.shared::cta.b64 _, [%f];\n  add.u32 %i, %i, 1;\n"
      "  setp.lt.u32 %q, %i, 100;\n  @%q bra produce;\n  ret;\n"
      "consume:\n  and.b32 %parity, %i, 1;\n"
      "wait_full:\n  mbarrier.try_wait.parity.shared::cta.b64 %q, [%f], %parity;\n"
      "  @!%q bra wait_full;\n  ld.shared.b32 %v, [%c];\n  add.u32 %sum, %sum, %v;\n"
      "  mbarrier.arrive.shared::cta.b64 _, [%e];\n  add.u32 %i, %i, 1;\n"
      "  setp.lt.u32 %q, %i, 100;\n  @%q bra consume;\n  st.global.b32 [%p0], %sum;\n";
  for (const std::uint64_t seed : {0, 1, 2}) {
    PtxDevice device;
    device.options.seed = seed;
    device.options.checks.race = true;
    const Address result = device.upload(std::vector<std::uint32_t>(1));
    PtxDevice::Shape shape;
    shape.block.x = 64;
    const Outcome outcome = device.run_body(body, shape, {result});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_EQ(device.download<std::uint32_t>(result, 1)[0], 4950u);
    EXPECT_TRUE(device.messages().empty()) << device.messages().front();
  }
}

// ---- copies that arrive at an mbarrier ----

const std::string kWaitPhase0 =
    "wait:\n  mbarrier.try_wait.parity.shared::cta.b64 %q, [%b], 0;\n  @!%q bra wait;\n";

TEST(CopyAsync, ArrivesAtAnMbarrier) {
  for (const bool wait : {true, false}) {
    PtxDevice device;
    // All 32 lanes arrive, each when its own copy has.
    const auto got = copy_through_shared(
        device,
        "  .shared .align 8 .b64 barrier;\n  .reg .b32 %b;\n  mov.u32 %b, barrier;\n"
        "  setp.eq.u32 %q, %lane, 0;\n  @%q mbarrier.init.shared::cta.b64 [%b], 32;\n"
        "  bar.warp.sync 0xffffffff;\n" +
            kCopy + "  cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%b];\n",
        wait ? kWaitPhase0 : "");
    if (wait) {
      EXPECT_EQ(got, numbers());
    } else {
      EXPECT_TRUE(all_nan(got));
    }
    EXPECT_EQ(device.messages().empty(), wait);
  }
}

// One thread copies all 512 bytes at once; all read after `wait`.
std::vector<float> bulk_copy(PtxDevice& device, int bytes, const std::string& wait,
                             Outcome* outcome = nullptr) {
  const Address result = device.upload(std::vector<float>(kFloats));
  const std::string body = fmt::format(
      "  .shared .align 16 .b8 buffer[512];\n  .shared .align 8 .b64 barrier;\n"
      "  .reg .b32 %b, %to, %from;\n  .reg .b64 %out;\n  .reg .f32 %v;\n  .reg .pred %q, %first;\n"
      "  mov.u32 %b, barrier;\n  mov.u32 %to, buffer;\n  setp.eq.u32 %first, %lane, 0;\n"
      "  @%first mbarrier.init.shared::cta.b64 [%b], 1;\n  bar.warp.sync 0xffffffff;\n"
      "  @%first mbarrier.arrive.expect_tx.shared::cta.b64 _, [%b], {0};\n"
      "  @%first cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%to], [%p0], "
      "{0}, [%b];\n  bar.warp.sync 0xffffffff;\n{1}"
      "  mad.lo.u32 %from, %lane, 16, %to;\n  mad.wide.u32 %out, %lane, 16, %p1;\n"
      "  ld.shared.f32 %v, [%from];\n  st.global.f32 [%out], %v;\n"
      "  ld.shared.f32 %v, [%from+4];\n  st.global.f32 [%out+4], %v;\n"
      "  ld.shared.f32 %v, [%from+8];\n  st.global.f32 [%out+8], %v;\n"
      "  ld.shared.f32 %v, [%from+12];\n  st.global.f32 [%out+12], %v;\n",
      bytes, wait);
  const Outcome got = device.run_body(body, {}, {device.upload(numbers()), result});
  if (outcome != nullptr) {
    *outcome = got;
  } else {
    EXPECT_TRUE(got.ok()) << got.message;
  }
  return device.download<float>(result, kFloats);
}

TEST(CopyBulk, ArrivesAtAnMbarrier) {
  PtxDevice device;
  EXPECT_EQ(bulk_copy(device, 512, kWaitPhase0), numbers());
  EXPECT_TRUE(device.messages().empty()) << device.messages().front();
}

TEST(CopyBulk, IsNanBeforeTheWait) {
  PtxDevice device;
  EXPECT_TRUE(all_nan(bulk_copy(device, 512, "")));
  EXPECT_GE(device.count(ReportKind::uninitialised), 1);
}

// A wait for a phase that is over leaves the copies of the next phase pending.
TEST(CopyBulk, StaysPendingWhenAnOlderPhaseIsAskedFor) {
  PtxDevice device;
  EXPECT_TRUE(all_nan(bulk_copy(
      device, 512, "  mbarrier.test_wait.parity.shared::cta.b64 %q, [%b], 1;\n  @!%q trap;\n")));
}

TEST(CopyBulk, RefusesOddSizesAndWhatIsOutOfBounds) {
  for (const int bytes : {24, 528}) {
    PtxDevice device;
    Outcome outcome;
    bulk_copy(device, bytes, kWaitPhase0, &outcome);
    EXPECT_FALSE(outcome.ok()) << bytes;
  }
}

TEST(CopyBulk, StoresToGlobalMemoryInGroups) {
  for (const bool wait : {true, false}) {
    PtxDevice device;
    const Address result = device.upload(std::vector<float>(kFloats, 7.0f));
    const std::string body = fmt::format(
        "  .shared .align 16 .b8 buffer[512];\n  .reg .b32 %to, %at;\n  .reg .b64 %in;\n"
        "  .reg .b32 %x<4>;\n  .reg .pred %first;\n  setp.eq.u32 %first, %lane, 0;\n"
        "  mov.u32 %to, buffer;\n  mad.lo.u32 %at, %lane, 16, %to;\n"
        "  mad.wide.u32 %in, %lane, 16, %p0;\n"
        "  ld.global.v4.b32 {{%x0, %x1, %x2, %x3}}, [%in];\n"
        "  st.shared.v4.b32 [%at], {{%x0, %x1, %x2, %x3}};\n"
        "  fence.proxy.async.shared::cta;\n  bar.warp.sync 0xffffffff;\n  @!%first ret;\n"
        "  cp.async.bulk.global.shared::cta.bulk_group [%p1], [%to], 512;\n"
        "  cp.async.bulk.commit_group;\n{}",
        wait ? "  cp.async.bulk.wait_group 0;\n" : "");
    const Outcome outcome = device.run_body(body, {}, {device.upload(numbers()), result});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    const auto got = device.download<float>(result, kFloats);
    if (wait) {
      EXPECT_EQ(got, numbers());
    } else {
      EXPECT_TRUE(all_nan(got));
    }
  }
}

// Block 1 of a cluster sends its numbers to block 0's shared memory and arrives at its barrier.
TEST(CopyBulk, CrossesAClusterToARemoteBarrier) {
  PtxDevice device;
  const Address result = device.upload(std::vector<float>(4));
  const std::string body =
      "  .shared .align 16 .b8 buffer[16];\n  .shared .align 16 .b8 own[16];\n"
      "  .shared .align 8 .b64 barrier;\n"
      "  .reg .b32 %b, %to, %from, %rank, %rb, %rto;\n  .reg .b32 %x<4>;\n  .reg .pred %q, %zero;\n"
      "  mov.u32 %b, barrier;\n  mov.u32 %to, buffer;\n  mov.u32 %from, own;\n"
      "  mov.u32 %rank, %cluster_ctarank;\n  setp.eq.u32 %zero, %rank, 0;\n"
      "  @%zero mbarrier.init.shared::cta.b64 [%b], 1;\n"
      "  ld.global.v4.b32 {%x0, %x1, %x2, %x3}, [%p0];\n"
      "  st.shared.v4.b32 [%from], {%x0, %x1, %x2, %x3};\n"
      "  fence.proxy.async;\n"
      "  barrier.cluster.arrive;\n  barrier.cluster.wait;\n"
      "  @%zero bra receive;\n"
      "  mapa.shared::cluster.u32 %rb, %b, 0;\n  mapa.shared::cluster.u32 %rto, %to, 0;\n"
      "  mbarrier.arrive.expect_tx.release.cluster.shared::cluster.b64 _, [%rb], 16;\n"
      "  cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%rto], [%from], "
      "16, "
      "[%rb];\n  bra end;\n"
      "receive:\n  mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %q, [%b], 0;\n"
      "  @!%q bra receive;\n  ld.shared.v4.b32 {%x0, %x1, %x2, %x3}, [%to];\n"
      "  st.global.v4.b32 [%p1], {%x0, %x1, %x2, %x3};\n"
      "end:\n  barrier.cluster.arrive;\n  barrier.cluster.wait;\n";
  PtxDevice::Shape shape;
  shape.grid.x = 2;
  shape.block.x = 1;
  shape.cluster = {2, 1, 1};
  const std::vector<float> values{1, 2, 3, 4};
  const Outcome outcome = device.run_body(body, shape, {device.upload(values), result});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_EQ(device.download<float>(result, 4), values);
  EXPECT_TRUE(device.messages().empty()) << device.messages().front();
}

}  // namespace
}  // namespace vgpu::testing
