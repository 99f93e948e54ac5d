#pragma once

#include <benchmark/benchmark.h>

#include <cstdio>
#include <functional>
#include <ios>
#include <string>
#include <utility>
#include <vector>

namespace siamese::bench {

/// The runs that belong into results, as results name them: without the repetitions that were
/// dropped, with the processor time that the row measured, without Google Benchmark's suffixes for
/// how it timed, and without numbers that JSON does not know (0/0 and its like).
std::vector<benchmark::BenchmarkReporter::Run> clean(
    const std::vector<benchmark::BenchmarkReporter::Run>& runs);

/// Whether Ctrl-C came before a row, whose runs these are, had all its repetitions. No later row
/// has any.
bool was_cut_short(const std::vector<benchmark::BenchmarkReporter::Run>& runs);

/// A reporter of Google Benchmark's that sees clean runs only, and none of a row that was cut
/// short: results have all repetitions of a row or none.
template <class Base>
class CleanReporter final : public Base {
 public:
  using Base::Base;
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    ended_ = ended_ || was_cut_short(runs);
    if (ended_) return;
    const auto cleaned = clean(runs);
    if (!cleaned.empty()) Base::ReportRuns(cleaned);
  }

 private:
  bool ended_ = false;  // what follows are means and the like of a row that was cut short
};

/// Google Benchmark's JSON, but whole after every row: whatever ends the program, the file that it
/// leaves can be read.
class WholeJsonReporter : public benchmark::JSONReporter {
 public:
  /// `path` is the file behind the reporter's stream.
  explicit WholeJsonReporter(std::string path) : path_(std::move(path)) {}

  bool ReportContext(const Context& context) override;
  /// Throws Failure where the file cannot be written; the rows before stay in it.
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

 private:
  void end();

  std::string path_;
  std::streampos end_ = -1;  // of the last row; -1 where the file is a pipe or the like
};

/// A line per row: how many are done, the time left, and the row's medians.
class ProgressReporter final : public benchmark::BenchmarkReporter {
 public:
  /// Seconds that the rows from the first index to before the second are likely to take; only their
  /// ratios count in the end.
  using Foretell = std::function<double(std::size_t begin, std::size_t end)>;

  ProgressReporter(std::size_t rows, Foretell foretell);

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;

  /// The row that runs now; shown where the output is a terminal.
  void begin_row(const std::string& name);

 private:
  std::string time_left() const;
  std::string position() const;
  void print_line(const std::string& name, const std::string& text) const;

  std::size_t rows_;
  Foretell foretell_;
  std::size_t begun_ = 0;
  std::size_t done_ = 0;
  double start_;
  bool terminal_;
};

/// "850 ns", "12.3 us", "4.56 ms", "7.8 s".
std::string time_text(double seconds);

}  // namespace siamese::bench
