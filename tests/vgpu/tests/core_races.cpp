// What the race checks find, and what they must not find.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

// Statements of one block's threads, and the race that they are; none: nothing may be reported.
struct RaceCase {
  const char* name;
  std::uint32_t threads;
  std::optional<ReportKind> race;
  std::string body;
};

class Race : public ::testing::TestWithParam<RaceCase> {};

// Each thread has a word in shared and one in global memory: %own and %global. Those of the thread
// that is a warp further are %other and %global_other, that of the next lane is %next.
constexpr const char* kAddresses = R"(
  .shared .align 16 .b8 buffer[1024];
  .shared .align 8 .b8 barrier[8];
  .reg .b32 %own, %other, %next, %v, %w, %n;
  .reg .b64 %global, %global_other, %state;
  .reg .pred %q;
  mov.u32 %n, %ntid.x;
  add.u32 %v, %thread, 32;
  rem.u32 %v, %v, %n;
  mov.u32 %other, buffer;
  mad.lo.u32 %own, %thread, 4, %other;
  mad.lo.u32 %other, %v, 4, %other;
  xor.b32 %next, %own, 4;
  mad.wide.u32 %global, %thread, 4, %p0;
  mad.wide.u32 %global_other, %v, 4, %p0;
)";

TEST_P(Race, IsFoundOrNot) {
  const RaceCase& c = GetParam();
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    PtxDevice device;
    device.options.checks.race = true;
    device.options.seed = seed;
    const Address words = device.upload(std::vector<std::uint32_t>(256, 0));
    const Outcome outcome = device.run_body(kAddresses + c.body, threads(c.threads), {words});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    if (c.race.has_value()) {
      EXPECT_GT(device.count(*c.race), 0) << "seed " << seed;
    } else {
      EXPECT_TRUE(device.messages().empty()) << device.messages().front() << ", seed " << seed;
    }
  }
}

constexpr auto kSilent = std::nullopt;
std::string name_of(const ::testing::TestParamInfo<RaceCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    BetweenWarps, Race,
    ::testing::Values(
        RaceCase{"StoreThenLoad", 64, ReportKind::shared_race,
                 "st.shared.u32 [%own], %v; ld.shared.u32 %v, [%other];"},
        RaceCase{"BarrierBetween", 64, kSilent,
                 "st.shared.u32 [%own], %v; bar.sync 0; ld.shared.u32 %v, [%other];"},
        RaceCase{"LoadThenStore", 64, ReportKind::shared_race,
                 "st.shared.u32 [%own], %v; bar.sync 0; ld.shared.u32 %v, [%other];"
                 "st.shared.u32 [%own], %v;"},
        RaceCase{"BarrierBeforeReuse", 64, kSilent,
                 "st.shared.u32 [%own], %v; bar.sync 0; ld.shared.u32 %v, [%other]; bar.sync 0;"
                 "st.shared.u32 [%own], %v;"},
        RaceCase{"AllStoreTheSame", 64, kSilent, "st.shared.u32 [buffer], 1;"},
        RaceCase{"HalvesOfAWord", 64, kSilent,
                 "st.shared.u16 [%own], 1; st.shared.u16 [%own+2], 2;"},
        RaceCase{"HalvesOfAWordByTwoWarps", 64, kSilent,
                 "setp.lt.u32 %q, %thread, 32; @%q st.shared.u16 [%own], 1;"
                 "@!%q st.shared.u16 [%other+2], 2;"},
        RaceCase{"GlobalHalvesOfAWordByTwoWarps", 64, kSilent,
                 "setp.lt.u32 %q, %thread, 32; @%q st.global.u16 [%global], 1;"
                 "@!%q st.global.u16 [%global_other+2], 2;"},
        RaceCase{"BytesOfAWordByTwoWarps", 64, kSilent,
                 "setp.lt.u32 %q, %thread, 32; @%q st.shared.u8 [%own], 1;"
                 "@!%q st.shared.u8 [%other+1], 2;"},
        RaceCase{"AByteStoredBesideOneLoaded", 64, kSilent,
                 "st.shared.u32 [%own], 0; bar.sync 0; setp.lt.u32 %q, %thread, 32;"
                 "@%q st.shared.u8 [%own], 1; @!%q ld.shared.u8 %v, [%other+1];"},
        RaceCase{"OneByteByTwoWarps", 64, ReportKind::shared_race,
                 "setp.lt.u32 %q, %thread, 32; @%q st.shared.u8 [%own+1], 1;"
                 "@!%q st.shared.u8 [%other+1], 2;"},
        RaceCase{"Atomics", 128, kSilent,
                 "st.shared.u32 [buffer], 0; bar.sync 0; atom.shared.add.u32 %v, [buffer], 1;"},
        RaceCase{"AtomicsThenLoad", 128, ReportKind::shared_race,
                 "st.shared.u32 [buffer], 0; bar.sync 0; atom.shared.add.u32 %v, [buffer], 1;"
                 "ld.shared.u32 %v, [buffer];"},
        RaceCase{"OneWarpsSyncIsNotAnothers", 64, ReportKind::shared_race,
                 "st.shared.u32 [%own], %v; bar.warp.sync -1; ld.shared.u32 %v, [%other];"},
        RaceCase{"FenceIsNoBarrier", 64, ReportKind::shared_race,
                 "st.shared.u32 [%own], %v; membar.cta; ld.shared.u32 %v, [%other];"},
        RaceCase{"AllReadersAreWaitedFor", 128, kSilent,
                 "setp.eq.u32 %q, %thread, 0; @%q st.shared.u32 [buffer], 5; bar.sync 0;"
                 "setp.lt.u32 %q, %thread, 96; @%q ld.shared.u32 %v, [buffer]; bar.sync 1;"
                 "setp.eq.u32 %q, %thread, 96; @%q st.shared.u32 [buffer], 6;"},
        // Thread 32 loads as if others stored meanwhile; thread 0's store is a plain one.
        RaceCase{"StrongLoadAndPlainStore", 64, ReportKind::global_race,
                 "setp.eq.u32 %q, %thread, 32; @%q ld.volatile.global.u32 %v, [%p0];"
                 "setp.eq.u32 %q, %thread, 0; @%q st.global.u32 [%p0], 1;"},
        RaceCase{"StrongLoadAndPlainStoreLater", 64, ReportKind::global_race,
                 "setp.eq.u32 %q, %thread, 0; @%q ld.volatile.global.u32 %v, [%p0];"
                 "setp.eq.u32 %q, %thread, 32; @%q st.global.u32 [%p0], 1;"},
        RaceCase{"StrongLoadAndStrongStore", 64, kSilent,
                 "setp.eq.u32 %q, %thread, 0; @%q ld.volatile.global.u32 %v, [%p0];"
                 "setp.eq.u32 %q, %thread, 32; @%q st.volatile.global.u32 [%p0], 1;"},
        RaceCase{"StrongLoadBarrierPlainStore", 64, kSilent,
                 "ld.volatile.global.u32 %v, [%p0]; bar.sync 0;"
                 "setp.eq.u32 %q, %thread, 32; @%q st.global.u32 [%p0], 1;"},
        RaceCase{"StrongLoadHidesNoPlainOne", 64, ReportKind::global_race,
                 "setp.eq.u32 %q, %thread, 0; @%q ld.global.u32 %v, [%p0]; membar.gl;"
                 "@%q ld.volatile.global.u32 %v, [%p0];"
                 "setp.eq.u32 %q, %thread, 32; @%q st.volatile.global.u32 [%p0], 1;"},
        RaceCase{"GlobalStoreThenLoad", 64, ReportKind::global_race,
                 "st.global.u32 [%global], %v; ld.global.u32 %v, [%global_other];"},
        RaceCase{"GlobalBarrierBetween", 64, kSilent,
                 "st.global.u32 [%global], %v; bar.sync 0; ld.global.u32 %v, [%global_other];"},
        RaceCase{"GlobalFenceIsNoBarrier", 64, ReportKind::global_race,
                 "st.global.u32 [%global], %v; membar.gl; ld.global.u32 %v, [%global_other];"},
        RaceCase{"GlobalLoadThenStore", 64, ReportKind::global_race,
                 "ld.global.u32 %w, [%global_other]; st.global.u32 [%global], %v;"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    BetweenLanes, Race,
    ::testing::Values(
        RaceCase{"AllStoreTheirOwn", 32, ReportKind::warp_race, "st.shared.u32 [buffer], %thread;"},
        RaceCase{
            "BytesOfAWord", 32, kSilent,
            "mov.u32 %own, buffer; add.u32 %own, %own, %thread; st.shared.u8 [%own], %thread;"},
        RaceCase{"GlobalBytesOfAWord", 32, kSilent,
                 "mad.wide.u32 %global, %thread, 1, %p0; st.global.u8 [%global], %thread;"},
        RaceCase{"StoreThenLoad", 32, ReportKind::warp_race,
                 "st.shared.u32 [%own], %v; ld.shared.u32 %v, [%next];"},
        RaceCase{"SyncBetween", 32, kSilent,
                 "st.shared.u32 [%own], %v; bar.warp.sync -1; ld.shared.u32 %v, [%next];"},
        RaceCase{"BlockBarrierBetween", 32, kSilent,
                 "st.shared.u32 [%own], %v; bar.sync 0; ld.shared.u32 %v, [%next];"},
        RaceCase{"LoadThenStore", 32, ReportKind::warp_race,
                 "st.shared.u32 [%own], %v; bar.warp.sync -1; ld.shared.u32 %w, [%next];"
                 "st.shared.u32 [%own], %w;"},
        RaceCase{"SyncBeforeReuse", 32, kSilent,
                 "st.shared.u32 [%own], %v; bar.warp.sync -1; ld.shared.u32 %w, [%next];"
                 "bar.warp.sync -1; st.shared.u32 [%own], %w;"},
        RaceCase{"ShuffleOrdersNothing", 32, ReportKind::warp_race,
                 "st.shared.u32 [%own], %v; shfl.sync.bfly.b32 %w, %v, 1, 31, -1;"
                 "ld.shared.u32 %w, [%next];"},
        RaceCase{"VoteOrdersNothing", 32, ReportKind::warp_race,
                 "st.shared.u32 [%own], %v; setp.ne.u32 %q, %v, 0; vote.sync.any.pred %q, %q, -1;"
                 "ld.shared.u32 %w, [%next];"},
        RaceCase{"MatchOrdersNothing", 32, ReportKind::warp_race,
                 "st.shared.u32 [%own], %v; match.any.sync.b32 %w, %v, -1;"
                 "ld.shared.u32 %w, [%next];"},
        RaceCase{"ReductionOrdersNothing", 32, ReportKind::warp_race,
                 "ld.shared.u32 %w, [%next]; redux.sync.add.u32 %w, %w, -1;"
                 "st.shared.u32 [%own], %w;"},
        RaceCase{"FenceOrdersNothing", 32, ReportKind::warp_race,
                 "st.shared.u32 [%own], %v; membar.cta; ld.shared.u32 %v, [%next];"},
        // The second reader's lane must not make the first one's forgotten.
        RaceCase{"EarlierLaneStillReads", 32, ReportKind::warp_race,
                 "setp.eq.u32 %q, %lane, 5; @%q ld.shared.u32 %w, [buffer]; membar.cta;"
                 "setp.eq.u32 %q, %lane, 6; @%q ld.shared.u32 %w, [buffer];"
                 "@%q st.shared.u32 [buffer], 1;"},
        RaceCase{"MbarrierOrdersLanes", 32, kSilent,
                 "setp.eq.u32 %q, %thread, 0; @%q mbarrier.init.shared.b64 [barrier], 32;"
                 "bar.warp.sync -1; st.shared.u32 [%own], %v;"
                 "mbarrier.arrive.shared.b64 %state, [barrier];"
                 "wait: mbarrier.try_wait.shared.b64 %q, [barrier], %state; @!%q bra wait;"
                 "ld.shared.u32 %v, [%next];"},
        RaceCase{"GlobalStoreThenLoad", 32, ReportKind::warp_race,
                 "st.global.u32 [%p0], 7; shfl.sync.bfly.b32 %w, %v, 1, 31, -1;"
                 "ld.global.u32 %v, [%p0];"},
        RaceCase{"GlobalSyncBetween", 32, kSilent,
                 "setp.eq.u32 %q, %lane, 3; @%q st.global.u32 [%p0], 7; bar.warp.sync -1;"
                 "ld.global.u32 %v, [%p0];"}),
    name_of);

// A bulk copy to global memory of what the threads have stored.
const std::string kCopy =
    "setp.eq.u32 %q, %thread, 0;"
    "@%q cp.async.bulk.global.shared::cta.bulk_group [%p0], [buffer], 256;"
    "@%q cp.async.bulk.commit_group; @%q cp.async.bulk.wait_group 0;";
INSTANTIATE_TEST_SUITE_P(
    BetweenProxies, Race,
    ::testing::Values(
        RaceCase{"NoFence", 64, ReportKind::missing_proxy_fence,
                 "st.shared.u32 [%own], %v; bar.sync 0;" + kCopy},
        RaceCase{"MemoryFence", 64, ReportKind::missing_proxy_fence,
                 "st.shared.u32 [%own], %v; membar.cta; bar.sync 0;" + kCopy},
        RaceCase{"FenceBeforeTheStore", 64, ReportKind::missing_proxy_fence,
                 "fence.proxy.async.shared::cta; st.shared.u32 [%own], %v; bar.sync 0;" + kCopy},
        RaceCase{"OnlyOneWarpFences", 64, ReportKind::missing_proxy_fence,
                 "st.shared.u32 [%own], %v; setp.lt.u32 %q, %thread, 32;"
                 "@%q fence.proxy.async.shared::cta; bar.sync 0;" +
                     kCopy},
        RaceCase{"FenceButNoBarrier", 64, ReportKind::shared_race,
                 "st.shared.u32 [%own], %v; fence.proxy.async.shared::cta;" + kCopy},
        RaceCase{"FenceBeforeTheBarrier", 64, kSilent,
                 "st.shared.u32 [%own], %v; fence.proxy.async.shared::cta; bar.sync 0;" + kCopy},
        RaceCase{"FenceByTheReader", 64, kSilent,
                 "st.shared.u32 [%own], %v; bar.sync 0; fence.proxy.async;" + kCopy}),
    name_of);

// barrier.cluster.arrive.relaxed orders what a fence before it has published, and nothing else.
TEST(RaceInACluster, RelaxedArrivalNeedsAFence) {
  const auto races = [](const std::string& before) {
    PtxDevice device;
    device.options.checks.race = true;
    PtxDevice::Shape shape = threads(32, 2);
    shape.cluster = {2, 1, 1};
    const Outcome outcome = device.run_body(
        "  .shared .align 4 .b8 own[4];\n  .reg .b32 %a, %rank, %v;\n  .reg .pred %q;\n"
        "  setp.eq.u32 %q, %lane, 0;\n  @%q st.shared.u32 [own], 1;\n" +
            before +
            "  barrier.cluster.wait.acquire.aligned;\n  mov.u32 %rank, %cluster_ctarank;\n"
            "  xor.b32 %rank, %rank, 1;\n  mov.u32 %a, own;\n"
            "  mapa.shared::cluster.u32 %a, %a, %rank;\n  ld.shared::cluster.u32 %v, [%a];\n"
            "  barrier.cluster.arrive.aligned;\n  barrier.cluster.wait.aligned;\n",
        shape, {});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    return device.count(ReportKind::shared_race) > 0;
  };
  EXPECT_FALSE(races("  barrier.cluster.arrive.aligned;\n"));
  EXPECT_TRUE(races("  barrier.cluster.arrive.relaxed.aligned;\n"));
  EXPECT_FALSE(races("  fence.acq_rel.cluster;\n  barrier.cluster.arrive.relaxed.aligned;\n"));
}

// The last block to finish sums what all have stored: right with a fence, a race without.
TEST(RaceBetweenBlocks, LastOneSums) {
  for (const bool fence : {true, false}) {
    PtxDevice device;
    device.options.checks.init = false;
    device.options.checks.race = true;
    const Address data = device.upload(std::vector<std::uint32_t>(9, 0));
    const Outcome outcome = device.run_body(
        std::string("  .reg .b32 %b, %n, %v, %s, %i;\n  .reg .b64 %to;\n  .reg .pred %q;\n"
                    "  setp.ne.u32 %q, %thread, 0;\n  @%q ret;\n  mov.u32 %b, %ctaid.x;\n"
                    "  mad.wide.u32 %to, %b, 4, %p0;\n  add.u32 %v, %b, 1;\n  st.global.u32 "
                    "[%to+4], %v;\n") +
            (fence ? "  membar.gl;\n" : "") +
            "  atom.global.add.u32 %n, [%p0], 1;\n  setp.ne.u32 %q, %n, 7;\n  @%q ret;\n"
            "  mov.u32 %s, 0;\n  mov.u32 %i, 0;\nsum:\n  mad.wide.u32 %to, %i, 4, %p0;\n"
            "  ld.global.u32 %v, [%to+4];\n  add.u32 %s, %s, %v;\n  add.u32 %i, %i, 1;\n"
            "  setp.lt.u32 %q, %i, 8;\n  @%q bra sum;\n  setp.eq.u32 %q, %s, 36;\n  @!%q trap;\n",
        threads(32, 8), {data});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_EQ(device.count(ReportKind::global_race) > 0, !fence);
  }
}

// Shared memory is each block's own, though blocks follow one another in the same bytes: what one
// left there races with nothing of the next, and its own races are found as in the first.
TEST(RaceBetweenBlocks, SharedMemoryIsEachBlocksOwn) {
  for (const bool barrier : {true, false}) {
    PtxDevice device;
    device.options.checks.race = true;
    const Address unused = device.upload(std::vector<std::uint32_t>(256, 0));
    const std::string body =
        "  st.shared.u32 [%own], %thread;\n  mov.u32 %w, %ctaid.x;\n" +
        std::string(barrier ? "" : "  setp.eq.u32 %q, %w, 3;\n  @%q bra on;\n") +
        "  bar.sync 0;\non:\n  ld.shared.u32 %v, [%other];\n";
    const Outcome outcome = device.run_body(kAddresses + body, threads(64, 4), {unused});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_EQ(device.count(ReportKind::shared_race) > 0, !barrier);
    EXPECT_EQ(device.count(ReportKind::global_race), 0);
  }
}

// Launches are ordered, and the check remembers nothing of an earlier one, whatever the width of
// its accesses; the races of each are found. The words that threads access lie in several pages.
TEST(RaceBetweenLaunches, EachIsCheckedAlone) {
  PtxDevice device;
  device.options.checks.race = true;
  const Address data = device.upload(std::vector<std::uint32_t>(2816, 0));  // 44 bytes a thread
  const auto launch = [&](const std::string& body) {
    const Outcome outcome = device.run_body(
        "  .reg .b32 %b, %i, %v;\n  .reg .b64 %own, %other;\n  mov.u32 %b, %ctaid.x;\n"
        "  mad.lo.u32 %i, %b, 64, %thread;\n  mad.wide.u32 %own, %i, 44, %p0;\n"
        "  sub.u32 %i, 255, %i;\n  mad.wide.u32 %other, %i, 44, %p0;\n" +
            body,
        threads(64, 4), {data});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    return device.count(ReportKind::global_race);
  };
  EXPECT_EQ(launch("  st.global.u32 [%own], %i;\n"), 0);
  EXPECT_EQ(launch("  ld.global.u32 %v, [%other];\n"), 0);
  EXPECT_EQ(launch("  st.global.u8 [%other], %b;\n"), 0);
  EXPECT_EQ(launch("  ld.global.u32 %v, [%own];\n"), 0);
  const std::string racing = "  st.global.u32 [%own], %i;\n  ld.global.u32 %v, [%other];\n";
  const std::int64_t races = launch(racing);
  EXPECT_GT(races, 0);
  EXPECT_GT(launch(racing), races);
}

// A long access is checked in each page that it touches.
TEST(RaceBetweenBlocks, BulkCopiesOfSeveralPages) {
  for (const std::uint32_t at : {0u, 4080u, 8188u, 12284u, 12288u}) {  // bytes; the last is outside
    PtxDevice device;
    device.options.checks.race = true;
    const Address data = device.upload(std::vector<std::uint32_t>(4096, 0));
    const Outcome outcome = device.run_body(
        "  .shared .align 16 .b8 buffer[12288];\n  .shared .align 8 .b8 barrier[8];\n"
        "  .reg .b32 %b;\n  .reg .b64 %state;\n  .reg .pred %q;\n"
        "  setp.ne.u32 %q, %thread, 0;\n  @%q ret;\n  mov.u32 %b, %ctaid.x;\n"
        "  setp.eq.u32 %q, %b, 0;\n  @%q bra copy;\n  st.global.u32 [%p0+" +
            std::to_string(at) +
            "], 1;\n  ret;\ncopy:\n  mbarrier.init.shared.b64 [barrier], 1;\n"
            "  mbarrier.arrive.expect_tx.shared.b64 %state, [barrier], 12288;\n"
            "  cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [buffer], [%p0], "
            "12288, [barrier];\n"
            "wait:\n  mbarrier.try_wait.shared.b64 %q, [barrier], %state;\n  @!%q bra wait;\n",
        threads(32, 2), {data});
    ASSERT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_EQ(device.count(ReportKind::global_race) > 0, at < 12288) << at;
  }
}

}  // namespace
}  // namespace vgpu::testing
