// What the memory and initialisation checks find and what they must not find; counters.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/vgpu/tests/ptx_device.h"

namespace vgpu::testing {
namespace {

bool mentions(const Outcome& outcome, const char* text) {
  return outcome.message.find(text) != std::string::npos;
}

// ---- bounds ----

TEST(Checks, PastTheEndOfAnAllocation) {
  PtxDevice device;
  const Address data = device.allocate(31 * sizeof(std::uint32_t));
  const Outcome outcome = device.run_body(
      "  .reg .b64 %a;\n  mad.wide.u32 %a, %lane, 4, %p0;\n  st.global.u32 [%a], 1;\n", {}, {data});
  EXPECT_EQ(outcome.fault, FaultKind::illegal_address);
  EXPECT_TRUE(outcome.sticky());
  EXPECT_TRUE(mentions(outcome, "0 bytes past the end of allocation")) << outcome.message;
  EXPECT_TRUE(mentions(outcome, "block (0,0,0), thread (31,0,0)")) << outcome.message;
  EXPECT_EQ(device.count(ReportKind::out_of_bounds), 1);
}

TEST(Checks, VectorAccessThatStraddlesTheEnd) {
  PtxDevice device;
  const Address data = device.upload(std::vector<std::uint32_t>(6, 1));
  const Outcome outcome = device.run_body(
      "  .reg .b32 %v<4>;\n  ld.global.v4.u32 {%v0, %v1, %v2, %v3}, [%p0+16];\n", {}, {data});
  EXPECT_EQ(outcome.fault, FaultKind::illegal_address) << outcome.message;
}

TEST(Checks, IntoTheNextSharedArray) {
  PtxDevice device;
  const Outcome outcome = device.run_body(
      "  .shared .align 4 .b8 first[64];\n  .shared .align 4 .b8 second[64];\n  .reg .b32 %a;\n"
      "  mov.u32 %a, first;\n  st.shared.u32 [second], 1;\n  st.shared.u32 [%a+64], 1;\n",
      {}, {});
  EXPECT_EQ(outcome.fault, FaultKind::illegal_address);
  EXPECT_TRUE(mentions(outcome, "past the end of first (64 bytes)")) << outcome.message;
}

TEST(Checks, DynamicSharedMemoryHasItsLaunchsSize) {
  PtxDevice device;
  PtxDevice::Shape shape;
  shape.dynamic_shared_bytes = 128;
  const std::string module =
      ".version 8.7\n.target sm_90\n.address_size 64\n.extern .shared .align 16 .b8 dynamic[];\n"
      ".visible .entry test(.param .u64 offset)\n{\n  .reg .b64 %o;\n  .reg .b32 %a, %b;\n"
      "  ld.param.u64 %o, [offset];\n  cvt.u32.u64 %b, %o;\n  mov.u32 %a, dynamic;\n"
      "  add.u32 %a, %a, %b;\n  st.shared.u32 [%a], 1;\n  ret;\n}\n";
  EXPECT_TRUE(device.run(module, shape, {124}).ok());
  const Outcome outcome = device.run(module, shape, {128});
  EXPECT_TRUE(mentions(outcome, "past the end of dynamic shared memory (128 bytes)"))
      << outcome.message;
}

TEST(Checks, LocalArrays) {
  PtxDevice device;
  const std::string body =
      "  .local .align 4 .b8 stack[16];\n  .reg .b64 %a, %g;\n  .reg .b32 %v;\n  mov.u64 %a, "
      "stack;\n"
      "  cvta.local.u64 %g, %a;\n  add.u64 %g, %g, %p0;\n  st.u32 [%g], %lane;\n"
      "  add.u64 %a, %a, %p0;\n  ld.local.u32 %v, [%a];\n  setp.ne.u32 %q, %v, %lane;\n  @%q "
      "trap;\n";
  EXPECT_TRUE(device.run_body("  .reg .pred %q;\n" + body, threads(64), {12}).ok());
  const Outcome outcome = device.run_body("  .reg .pred %q;\n" + body, threads(64), {16});
  EXPECT_TRUE(mentions(outcome, "past the end of stack")) << outcome.message;
}

TEST(Checks, NullHostAndMisalignedAddresses) {
  PtxDevice device;
  const Address data = device.upload(std::vector<std::uint32_t>(8, 1));
  const std::string load = "  .reg .b32 %v;\n  ld.global.u32 %v, [%p0];\n";
  EXPECT_EQ(device.run_body(load, {}, {0}).fault, FaultKind::illegal_address);
  EXPECT_EQ(device.run_body(load, {}, {reinterpret_cast<std::uint64_t>(&device)}).fault,
            FaultKind::illegal_address);
  EXPECT_EQ(device.run_body(load, {}, {data + 2}).fault, FaultKind::misaligned_address);
  EXPECT_EQ(device.run_body("  .reg .b32 %v;\n  ld.shared.u32 %v, [0];\n", {}, {}).fault,
            FaultKind::illegal_address);
}

TEST(Checks, OnlyTheActiveLanesAreChecked) {
  PtxDevice device;
  const Address data = device.upload(std::vector<std::uint32_t>(4, 9));
  const Outcome outcome = device.run_body(
      "  .reg .b64 %a;\n  .reg .b32 %v;\n  .reg .pred %q;\n  mad.wide.u32 %a, %lane, 4, %p0;\n"
      "  setp.lt.u32 %q, %lane, 4;\n  @%q ld.global.u32 %v, [%a];\n  @%q st.global.u32 [%a], %v;\n",
      {}, {data});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
}

TEST(Checks, TheUsersLineIsNamed) {
  PtxDevice device;
  const std::string module =
      ".version 8.7\n.target sm_90\n.address_size 64\n"
      ".visible .entry test()\n{\n  .reg .b64 %a;\n  .loc 1 7 1\n  mov.u64 %a, 0;\n"
      "  .loc 2 99 1, function_name $L, inlined_at 1 8 3\n  st.global.u32 [%a], 1;\n  ret;\n}\n"
      ".file 1 \"kernel.cu\"\n.file 2 \"library.h\"\n";
  const Outcome outcome = device.run(module, {}, {});
  EXPECT_TRUE(mentions(outcome, "library.h:99, inlined at kernel.cu:8")) << outcome.message;
}

// Relocatable device code is the text of several files, of which each numbers its sources from 1.
TEST(Checks, EachFileHasItsOwnSources) {
  PtxDevice device;
  const auto file = [](const std::string& kernel, const std::string& source) {
    return ".version 8.7\n.target sm_90\n.address_size 64\n.visible .entry " + kernel +
           "()\n{\n  .reg .b64 %a;\n  .loc 1 7 1\n  mov.u64 %a, 0;\n"
           "  .loc 2 99 1, function_name $L, inlined_at 1 7 1\n  st.global.u32 [%a], 1;\n  "
           "ret;\n}\n"
           ".file 1 \"" +
           source + ".cu\"\n.file 2 \"" + source + ".h\"\n";
  };
  for (const bool first : {true, false}) {
    const std::string module =
        file(first ? "test" : "rest", "main") + file(first ? "rest" : "test", "other");
    const Outcome outcome = device.run(module, {}, {});
    EXPECT_TRUE(mentions(
        outcome, first ? "main.h:99, inlined at main.cu:7" : "other.h:99, inlined at other.cu:7"))
        << outcome.message;
  }
}

// ---- initialisation ----

TEST(Checks, ReadsOfWhatWasNeverWritten) {
  PtxDevice device;
  const Address data = device.allocate(32 * sizeof(std::uint32_t));
  const std::string load =
      "  .reg .b64 %a;\n  .reg .b32 %v;\n  mad.wide.u32 %a, %lane, 4, %p0;\n  ld.global.u32 %v, "
      "[%a];\n";
  EXPECT_TRUE(device.run_body(load, {}, {data}).ok()) << "the launch goes on";
  EXPECT_EQ(device.count(ReportKind::uninitialised), 32);
  EXPECT_EQ(device.messages().size(), 1u) << "one message a place";
  device.options.checks.init = false;
  EXPECT_TRUE(device.run_body(load, {}, {data}).ok());
  EXPECT_EQ(device.count(ReportKind::uninitialised), 32);
}

TEST(Checks, CopiesInFlightCountAsUnwritten) {
  for (const bool waits : {false, true}) {
    PtxDevice device;
    const Address data = device.upload(std::vector<std::uint32_t>(32, 5));
    const std::string wait = waits ? "  cp.async.commit_group;\n  cp.async.wait_group 0;\n" : "";
    const Outcome outcome = device.run_body(
        "  .shared .align 16 .b8 buffer[128];\n  .reg .b32 %a, %v;\n  .reg .b64 %g;\n  .reg .pred "
        "%q;\n"
        "  mov.u32 %a, buffer;\n  mad.lo.u32 %a, %lane, 4, %a;\n  mad.wide.u32 %g, %lane, 4, %p0;\n"
        "  cp.async.ca.shared.global [%a], [%g], 4;\n" +
            wait +
            "  ld.shared.u32 %v, [%a];\n  setp.eq.u32 %q, %v, 5;\n  @!%q st.global.u32 [%g], 0;\n",
        {}, {data});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_EQ(device.count(ReportKind::uninitialised), waits ? 0 : 32);
    EXPECT_EQ(device.download<std::uint32_t>(data, 32)[0], waits ? 5u : 0u);
  }
}

// ---- reports ----

TEST(Checks, LimitsAreByKind) {
  std::vector<std::string> printed;
  Reports reports(2, [&](std::string_view text) { printed.emplace_back(text); });
  for (int i = 0; i < 10; ++i) reports.add(ReportKind::leak, "leaked");
  reports.add(ReportKind::trap, "trapped");
  EXPECT_EQ(printed.size(), 4u) << "two, that there are more, and the other kind";
  EXPECT_EQ(reports.count(ReportKind::leak), 10);
  EXPECT_EQ(reports.total(), 11);
  EXPECT_EQ(reports.summary(), "1 trap, 10 leak");
}

TEST(Checks, NamesAreAsCppWritesThem) {
  std::vector<std::string> printed;
  Reports reports(2, [&](std::string_view text) { printed.emplace_back(text); });
  reports.add(ReportKind::trap, "kernel _ZN1a3addIfEEvPT_ (in _Z4helpi), then f, i and _Znonsense");
  EXPECT_EQ(printed.front(),
            "trap: kernel void a::add<float>(float*) (in help(int)), then f, i and _Znonsense");
}

// ---- atomics ----

// In global memory denormals are flushed to zeros that keep their signs, in shared memory not.
TEST(Atomics, FlushDenormalsInGlobalMemory) {
  PtxDevice device;
  const float tiny = 1e-40f;
  const Address values = device.upload(std::vector<float>{tiny, 1.5e-38f, -tiny, 0.0f, 0.0f});
  const Outcome outcome = device.run_body(
      "  .shared .align 4 .b8 own[4];\n  .reg .f32 %tiny, %small, %x;\n  .reg .b64 %shared;\n"
      "  .reg .pred %q;\n  setp.ne.u32 %q, %lane, 0;\n  @%q ret;\n"
      "  ld.global.f32 %tiny, [%p0];\n  mov.f32 %small, 0f808b9b95;\n"  // -1.28e-38
      "  red.global.add.f32 [%p0], %tiny;\n  atom.global.add.f32 %x, [%p0+4], %small;\n"
      "  red.add.f32 [%p0+8], 0f80000000;\n"
      "  st.shared.f32 [own], %tiny;\n  red.shared.add.f32 [own], %tiny;\n"
      "  ld.shared.f32 %x, [own];\n  st.global.f32 [%p0+12], %x;\n",
      {}, {values});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  const auto got = device.download<float>(values, 4);
  EXPECT_EQ(got[0], 0.0f) << "of two denormals";
  EXPECT_EQ(got[1], 0.0f) << "a denormal difference";
  EXPECT_EQ(got[2], 0.0f);
  EXPECT_TRUE(std::signbit(got[2]));
  EXPECT_EQ(got[3], 2 * tiny);
}

// ---- counters ----

TEST(Counters, SectorsOfARequest) {
  const auto sectors = [](int stride) {
    PtxDevice device;
    const Address data = device.upload(std::vector<std::uint32_t>(1024, 0));
    const Outcome outcome =
        device.run_body("  .reg .b64 %a;\n  .reg .b32 %v;\n  mad.wide.u32 %a, %lane, " +
                            std::to_string(stride) + ", %p0;\n  ld.global.u32 %v, [%a];\n",
                        {}, {data});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    EXPECT_EQ(device.counters.global_load.requests, 1u);
    EXPECT_EQ(device.counters.global_load.bytes, 128u);
    return device.counters.global_load.sectors;
  };
  EXPECT_EQ(sectors(0), 1u);
  EXPECT_EQ(sectors(4), 4u);
  EXPECT_EQ(sectors(8), 8u);
  EXPECT_EQ(sectors(128), 32u);
}

// One thread copies 176 bytes, of which the first 16 and the last 16 share their sectors with
// others.
TEST(Counters, BulkCopyIsOneRequest) {
  PtxDevice device;
  const Address data = device.upload(std::vector<std::uint32_t>(64, 0));
  const Outcome outcome = device.run_body(
      "  .shared .align 16 .b8 buffer[192];\n  .reg .pred %q;\n"
      "  setp.eq.u32 %q, %lane, 0;\n"
      "  @%q cp.async.bulk.global.shared::cta.bulk_group [%p0], [buffer], 176;\n"
      "  @%q cp.async.bulk.commit_group;\n  @%q cp.async.bulk.wait_group 0;\n",
      {}, {data + 16});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  const Traffic& stored = device.counters.global_store;
  EXPECT_EQ(stored.requests, 1u);
  EXPECT_EQ(stored.bytes, 176u);
  EXPECT_EQ(stored.sectors, 6u);
  const Traffic& loaded = device.counters.shared_load;
  EXPECT_EQ(loaded.requests, 1u);
  EXPECT_EQ(loaded.bytes, 176u);
  EXPECT_EQ(device.counters.shared_passes, 2u) << "of 128 bytes";
  EXPECT_EQ(device.counters.bank_conflicts, 0u);
}

TEST(Counters, BankConflicts) {
  const auto conflicts = [](int stride) {
    PtxDevice device;
    device.options.checks.init = false;
    const Outcome outcome = device.run_body(
        "  .shared .align 16 .b8 buffer[8192];\n  .reg .b32 %a, %v;\n  mov.u32 %a, buffer;\n"
        "  mad.lo.u32 %a, %lane, " +
            std::to_string(stride) + ", %a;\n  ld.shared.u32 %v, [%a];\n",
        {}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.message;
    const Counters& counters = device.counters;
    EXPECT_EQ(counters.shared_passes, counters.bank_conflicts + 1);
    if (counters.bank_conflicts == 0) {
      EXPECT_TRUE(counters.shared_lines.empty());
    } else if (counters.shared_lines.size() == 1) {
      const SharedLine& line = counters.shared_lines.begin()->second;
      EXPECT_EQ(line.requests, 1u);
      EXPECT_EQ(line.passes, counters.shared_passes);
      EXPECT_EQ(line.conflicts, counters.bank_conflicts);
    } else {
      ADD_FAILURE() << counters.shared_lines.size() << " lines with conflicts; expected 1";
    }
    return counters.bank_conflicts;
  };
  EXPECT_EQ(conflicts(0), 0u);
  EXPECT_EQ(conflicts(4), 0u);
  EXPECT_EQ(conflicts(8), 1u);
  EXPECT_EQ(conflicts(128), 31u);
  EXPECT_EQ(conflicts(132), 0u);
}

TEST(Counters, InstructionsByLine) {
  PtxDevice device;
  const Outcome outcome = device.run(
      ".version 8.7\n.target sm_90\n.address_size 64\n"
      ".visible .entry test()\n{\n  .reg .b32 %a;\n  .reg .pred %q;\n  .loc 1 7 1\n"
      "  mov.u32 %a, 0;\n$again:\n  .loc 2 99 1, function_name $L, inlined_at 1 8 3\n"
      "  add.u32 %a, %a, 1;\n  setp.lt.u32 %q, %a, 5;\n  @%q bra $again;\n  .loc 1 7 9\n  ret;\n}\n"
      ".file 1 \"kernel.cu\"\n.file 2 \"library.h\"\n",
      {}, {});
  EXPECT_TRUE(outcome.ok()) << outcome.message;
  // The last branch has no lane that takes it.
  const std::map<std::string, std::uint64_t> expected{{"kernel.cu:7", 2},
                                                      {"library.h:99, inlined at kernel.cu:8", 14}};
  EXPECT_EQ(device.counters.instruction_lines, expected);
}

TEST(Counters, UsefulOperations) {
  PtxDevice device;
  const Outcome outcome = device.run_body(
      "  .reg .f32 %f;\n  .reg .f64 %d;\n  .reg .pred %q;\n  mov.f32 %f, 1.0;\n  mov.f64 %d, 1.0;\n"
      "  fma.rn.f32 %f, %f, %f, %f;\n  setp.lt.u32 %q, %lane, 10;\n  @%q add.f32 %f, %f, %f;\n"
      "  mul.f64 %d, %d, %d;\n",
      {}, {});
  ASSERT_TRUE(outcome.ok()) << outcome.message;
  EXPECT_EQ(device.counters.flops[static_cast<std::size_t>(Precision::f32)], 74u);
  EXPECT_EQ(device.counters.flops[static_cast<std::size_t>(Precision::f64)], 32u);
  EXPECT_EQ(
      device.counters.thread_instructions[static_cast<std::size_t>(InstructionClass::floating)],
      74u);
}

}  // namespace
}  // namespace vgpu::testing
