#include "bench/reporters.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "bench/row.h"
#include "model/error.h"

namespace siamese::bench {
namespace {

using Result = benchmark::BenchmarkReporter::Run;

Result timed_run() {
  Result run;
  run.run_name.function_name = "adam/cpu_eigen/float32/parameters:1";
  run.run_name.iterations = "iterations:1";
  run.run_name.time_type = "manual_time";
  run.iterations = 4;
  run.real_accumulated_time = 2.0;
  run.counters["FLOP/s"] = 1e9;
  return run;
}

TEST(CleanRuns, HaveThePlainName) {
  EXPECT_EQ(clean({timed_run()}).at(0).benchmark_name(), "adam/cpu_eigen/float32/parameters:1");
}

TEST(CleanRuns, HaveNoNumberThatJsonDoesNotKnow) {
  Result run = timed_run();
  run.counters["a"] = std::nan("");
  run.counters["b"] = HUGE_VAL;
  const auto counters = clean({run}).at(0).counters;
  EXPECT_EQ(counters.size(), 1U);
  EXPECT_EQ(counters.count("FLOP/s"), 1U);

  Result spread = timed_run();
  spread.run_type = Result::RT_Aggregate;
  spread.real_accumulated_time = 0.0 / std::nan("");
  EXPECT_TRUE(clean({spread}).empty());
}

TEST(CleanRuns, KeepErrorsAndLeaveOutWhatWasDropped) {
  Result wrong = timed_run();
  wrong.error_occurred = true;
  wrong.error_message = "wrong";
  Result other = wrong;
  other.error_message = dropped;
  const auto cleaned = clean({wrong, other});
  ASSERT_EQ(cleaned.size(), 1U);
  EXPECT_EQ(cleaned[0].error_message, "wrong");
}

TEST(CleanRuns, HaveTheProcessorTimeThatTheRowMeasured) {
  Result run = timed_run();
  run.counters[cpu_seconds_counter] = 0.5;
  const Result cleaned = clean({run}).at(0);
  EXPECT_EQ(cleaned.cpu_accumulated_time, 2.0);  // of 4 launches
  EXPECT_EQ(cleaned.counters.count(cpu_seconds_counter), 0U);
}

TEST(CleanReporter, LeavesOutARowThatWasCutShortWithItsMeans) {
  std::ostringstream out;
  CleanReporter<benchmark::JSONReporter> reporter;
  reporter.SetOutputStream(&out);
  reporter.SetErrorStream(&out);
  Result cut = timed_run();
  cut.error_occurred = true;
  cut.error_message = cut_short;
  Result mean = timed_run();
  mean.run_type = Result::RT_Aggregate;
  reporter.ReportContext({});
  reporter.ReportRuns({timed_run(), timed_run()});
  reporter.ReportRuns({mean});
  reporter.ReportRuns({timed_run(), cut});
  reporter.ReportRuns({mean});
  reporter.Finalize();
  EXPECT_EQ(nlohmann::json::parse(out.str()).at("benchmarks").size(), 3U);
}

TEST(WholeJson, CanBeReadAfterEveryRow) {
  std::ostringstream out;
  std::ostringstream errors;
  CleanReporter<WholeJsonReporter> reporter("results.json");
  reporter.SetOutputStream(&out);
  reporter.SetErrorStream(&errors);
  const auto rows = [&] { return nlohmann::json::parse(out.str()).at("benchmarks").size(); };
  reporter.ReportContext({});
  EXPECT_EQ(rows(), 0U);
  reporter.ReportRuns({timed_run()});
  EXPECT_EQ(rows(), 1U);
  reporter.ReportRuns({timed_run(), timed_run()});
  EXPECT_EQ(rows(), 3U);
  reporter.Finalize();
  EXPECT_EQ(rows(), 3U);
}

TEST(WholeJson, AFullDiskIsNoticedAtOnce) {
  std::ofstream out("/dev/full");
  CleanReporter<WholeJsonReporter> reporter("/dev/full");
  reporter.SetOutputStream(&out);
  reporter.SetErrorStream(&out);
  EXPECT_THROW(reporter.ReportContext({}), Failure);
}

TEST(Progress, TheTimeLeftFollowsWhatIsForetold) {
  // Three rows of a second each, and one of an hour.
  ProgressReporter reporter(4, [](std::size_t begin, std::size_t end) {
    return static_cast<double>(end - begin) + (begin <= 3 && end == 4 ? 3599.0 : 0.0);
  });
  reporter.begin_row("a");
  testing::internal::CaptureStdout();
  reporter.ReportRuns({timed_run()});
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_TRUE(text.starts_with("[  1/4, 55 min left]")) << text;  // (0 + 10) / (1 + 10) of it
}

TEST(TimeText, PicksTheUnit) {
  EXPECT_EQ(time_text(8.5e-7), "850 ns");
  EXPECT_EQ(time_text(1.234e-5), "12.3 us");
  EXPECT_EQ(time_text(4.56e-3), "4.56 ms");
  EXPECT_EQ(time_text(7.8), "7.8 s");
}

}  // namespace
}  // namespace siamese::bench
