#include "bench/reporters.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <ostream>
#include <system_error>

#include "bench/row.h"
#include "bench/timing.h"
#include "model/error.h"

namespace siamese::bench {
namespace {

using Run = benchmark::BenchmarkReporter::Run;

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : 0.5 * (values[middle - 1] + values[middle]);
}

// The median of a counter over repetitions; NaN where they have none of this name.
double median_counter(const std::vector<Run>& runs, const std::string& name) {
  std::vector<double> values;
  for (const Run& run : runs) {
    const auto counter = run.counters.find(name);
    if (counter != run.counters.end()) values.push_back(counter->second.value);
  }
  return median(values);
}

std::string row_text(const std::vector<Run>& runs) {
  std::vector<double> seconds;
  seconds.reserve(runs.size());
  for (const Run& run : runs) {
    seconds.push_back(run.real_accumulated_time / static_cast<double>(run.iterations));
  }
  const auto [low, high] = std::ranges::minmax(seconds);
  const double middle = median(seconds);
  std::string text =
      fmt::format("{:>8} +-{:3.0f}% {:7.1f} GFLOP/s", time_text(middle),
                  50.0 * (high - low) / middle, 1e-9 * median_counter(runs, "FLOP/s"));
  const double peak = median_counter(runs, "peak");
  if (std::isfinite(peak)) {
    text += fmt::format(" {:5.1f}% of peak, {:4.2f} of floor", peak, median_counter(runs, "floor"));
  }
  return text;
}

// A terminal that has closed is no reason to end: the results go to a file.
void show(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

std::vector<Run> clean(const std::vector<Run>& runs) {
  std::vector<Run> cleaned;
  for (Run run : runs) {
    if (run.error_occurred && run.error_message == dropped) continue;
    const auto cpu = run.counters.find(cpu_seconds_counter);
    if (cpu != run.counters.end()) {
      // Times are sums over iterations, but for relative ones.
      const bool is_time = run.aggregate_unit == benchmark::kTime;
      run.cpu_accumulated_time =
          cpu->second.value * (is_time ? static_cast<double>(run.iterations) : 1.0);
      run.counters.erase(cpu);
    }
    if (!std::isfinite(run.real_accumulated_time) || !std::isfinite(run.cpu_accumulated_time)) {
      continue;  // the relative spread of a time of 0
    }
    benchmark::BenchmarkName plain;
    plain.function_name = run.run_name.function_name;
    run.run_name = plain;
    std::erase_if(run.counters,
                  [](const auto& counter) { return !std::isfinite(counter.second.value); });
    cleaned.push_back(std::move(run));
  }
  return cleaned;
}

bool was_cut_short(const std::vector<Run>& runs) {
  return std::ranges::any_of(runs, [](const Run& run) { return run.error_message == cut_short; });
}

std::string time_text(double seconds) {
  if (seconds < 1e-6) return fmt::format("{:.0f} ns", 1e9 * seconds);
  if (seconds < 1e-3) return fmt::format("{:.3g} us", 1e6 * seconds);
  if (seconds < 1.0) return fmt::format("{:.3g} ms", 1e3 * seconds);
  return fmt::format("{:.3g} s", seconds);
}

bool WholeJsonReporter::ReportContext(const Context& context) {
  const bool go_on = JSONReporter::ReportContext(context);
  end();
  return go_on;
}

void WholeJsonReporter::ReportRuns(const std::vector<Run>& runs) {
  if (end_ != -1) GetOutputStream().seekp(end_);
  JSONReporter::ReportRuns(runs);
  end();
}

void WholeJsonReporter::Finalize() {
  if (end_ == -1) JSONReporter::Finalize();
}

void WholeJsonReporter::end() {
  std::ostream& out = GetOutputStream();
  const std::streampos before = end_;
  end_ = out.tellp();
  if (end_ != -1) JSONReporter::Finalize();
  if (out.flush()) return;
  const std::string reason = std::strerror(errno);
  if (before != -1) {  // what closed the rows before is written again over what did not fit
    out.clear();
    end_ = before;
    out.seekp(before);
    JSONReporter::Finalize();
    out.flush();
    std::error_code ignored;
    std::filesystem::resize_file(path_, static_cast<std::uintmax_t>(out.tellp()), ignored);
  }
  throw Failure(fmt::format("{}: {}", path_, reason));
}

ProgressReporter::ProgressReporter(std::size_t rows, Foretell foretell)
    : rows_(rows),
      foretell_(std::move(foretell)),
      start_(now()),
      terminal_(isatty(STDOUT_FILENO) == 1) {}

bool ProgressReporter::ReportContext(const Context&) {
  start_ = now();
  return true;
}

// What is foretold, corrected by how right it was about the rows that are done; the first few are
// believed less than the many.
std::string ProgressReporter::time_left() const {
  if (done_ == 0) return "?";
  constexpr double belief = 10.0;  // seconds
  const double correction = (now() - start_ + belief) / (foretell_(0, done_) + belief);
  const double seconds = correction * foretell_(done_, rows_);
  return seconds < 90.0 ? fmt::format("{:2.0f} s", seconds)
                        : fmt::format("{:.0f} min", std::ceil(seconds / 60.0));
}

std::string ProgressReporter::position() const {
  return fmt::format("[{:>3}/{}, {:>6} left]", begun_, rows_, time_left());
}

void ProgressReporter::print_line(const std::string& name, const std::string& text) const {
  show(fmt::format("{}{} {:<62} {}\n", terminal_ ? "\r\033[K" : "", position(), name, text));
}

void ProgressReporter::begin_row(const std::string& name) {
  ++begun_;
  if (!terminal_) return;
  show(fmt::format("\r\033[K{} {}", position(), name));
}

void ProgressReporter::ReportRuns(const std::vector<Run>& runs) {
  if (was_cut_short(runs)) return;
  std::vector<Run> repetitions;
  done_ = begun_;
  for (const Run& run : clean(runs)) {
    if (run.error_occurred) {
      print_line(run.run_name.function_name, run.error_message);
    } else if (run.run_type == Run::RT_Iteration) {
      repetitions.push_back(run);
    }
  }
  if (!repetitions.empty()) {
    print_line(repetitions.front().run_name.function_name, row_text(repetitions));
  }
}

}  // namespace siamese::bench
