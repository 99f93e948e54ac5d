#include "bench/program.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <regex>
#include <utility>
#include <vector>

#include "bench/ceilings.h"
#include "bench/command_line.h"
#include "bench/context.h"
#include "bench/options.h"
#include "bench/reporters.h"
#include "bench/resume.h"
#include "bench/row.h"
#include "bench/session.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/parallel.h"
#include "model/error.h"
#include "model/interrupt.h"

namespace siamese::bench {
namespace {

constexpr int exit_interrupted = 130;

using Rows = std::vector<std::unique_ptr<Row>>;

// The rows whose names the filter finds, or with a leading '-' does not find.
Rows filtered(Rows rows, const std::string& filter) {
  const bool negative = filter.starts_with('-');
  std::regex pattern;
  try {
    pattern = std::regex(negative ? filter.substr(1) : filter, std::regex::extended);
  } catch (const std::regex_error&) {
    throw UsageError(
        fmt::format("--benchmark_filter: '{}'; expected a regular expression", filter));
  }
  std::erase_if(
      rows, [&](const auto& row) { return std::regex_search(row->name(), pattern) == negative; });
  if (rows.empty()) {
    throw UsageError(fmt::format(
        "--benchmark_filter: '{}' finds no row; --benchmark_list_tests lists them", filter));
  }
  return rows;
}

// Hands Google Benchmark its flags; it ends the program itself at a value that it cannot read.
// `words` is the command line that it sees, and keeps a pointer to.
void initialize_benchmark(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size());
  for (std::string& word : words) pointers.push_back(word.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1) {
    throw UsageError(
        fmt::format("{}: unknown flag, or a value that it cannot take; see --help", pointers[1]));
  }
}

// The row that holds data: one at a time.
struct OpenRow {
  Row* row = nullptr;
};

// A row as Google Benchmark sees it.
class RowBenchmark final : public benchmark::internal::Benchmark {
 public:
  RowBenchmark(Row& row, std::shared_ptr<OpenRow> open, ProgressReporter* progress)
      : Benchmark(row.name().c_str()), row_(row), open_(std::move(open)), progress_(progress) {
    Iterations(1);  // of batches; a row chooses how many launches a batch has
    UseManualTime();
  }

  void Run(benchmark::State& state) override {
    if (open_->row != &row_) {
      if (open_->row != nullptr) open_->row->close();
      open_->row = &row_;
      if (progress_ != nullptr) progress_->begin_row(row_.name());
    }
    row_.run(state);
  }

 private:
  Row& row_;
  std::shared_ptr<OpenRow> open_;
  ProgressReporter* progress_;
};

void register_rows(const Rows& rows, ProgressReporter* progress) {
  const auto open = std::make_shared<OpenRow>();
  for (const auto& row : rows) {
    // Google Benchmark owns what it is given.
    benchmark::internal::RegisterBenchmarkInternal(new RowBenchmark(*row, open, progress));
  }
}

void run_rows(const Rows& rows, const Options& options) {
  std::unique_ptr<benchmark::BenchmarkReporter> display;
  ProgressReporter* progress = nullptr;
  if (options.progress) {
    auto reporter = std::make_unique<ProgressReporter>(
        rows.size(),
        [&rows](std::size_t begin, std::size_t end) { return foretold_seconds(rows, begin, end); });
    progress = reporter.get();
    display = std::move(reporter);
  } else if (options.json_display) {
    display = std::make_unique<CleanReporter<benchmark::JSONReporter>>();
  } else {
    display = std::make_unique<CleanReporter<benchmark::ConsoleReporter>>(
        benchmark::ConsoleReporter::OO_Tabular);
  }
  std::unique_ptr<benchmark::BenchmarkReporter> file;
  if (!options.file.empty() && options.json_file) {
    file = std::make_unique<CleanReporter<WholeJsonReporter>>(options.file);
  } else if (!options.file.empty()) {
    file = std::make_unique<CleanReporter<benchmark::ConsoleReporter>>(
        benchmark::ConsoleReporter::OO_None);
  }
  register_rows(rows, progress);
  benchmark::RunSpecifiedBenchmarks(display.get(), file.get(), ".");
  benchmark::Shutdown();
}

// Google Benchmark would tell it less clearly. It empties the file in any case.
void require_writable(const std::string& path) {
  if (!std::ofstream(path, std::ios::app)) {
    throw Failure(fmt::format("--benchmark_out: {}: {}; expected a file that can be written", path,
                              std::strerror(errno)));
  }
}

// Drops the rows that the run which is gone on with has finished; returns how many rows both runs
// set out to do.
std::size_t drop_finished(Rows& rows, const Options& options) {
  const Begun begun = read_begun(options.resume);
  require_same(begun, describe(options), options.resume);
  std::erase_if(rows, [&](const auto& row) { return begun.rows.contains(row->name()); });
  if (rows.empty()) throw UsageError(fmt::format("--resume: {} has every row", options.resume));
  return std::max(begun.wanted, begun.rows.size() + rows.size());
}

int run(int argc, char** argv) {
  const std::optional<Options> options = parse_options(argc, argv);
  if (!options) return 0;
  note_interrupts();
  set_most_threads(options->threads);
  chosen_isa();  // an unknown SIAMESE_ISA is a usage error, before any work

  Session session;
  session.options = *options;
  session.row_cap_seconds = options->patience * (options->quick ? 3.0 : 20.0);
  session.reference_cap_seconds = options->patience * (options->quick ? 10.0 : 60.0);

  if (const auto reason = backend(Device::cuda).why_unavailable()) {
    fmt::print(stderr, "CUDA variants are left out: {}\n", *reason);
  }
  Rows rows = filtered(make_rows(session), options->filter);
  const std::size_t wanted = options->resume.empty() ? rows.size() : drop_finished(rows, *options);
  std::vector<std::string> words{"siamese_bench"};
  words.insert(words.end(), options->benchmark_flags.begin(), options->benchmark_flags.end());
  initialize_benchmark(words);
  if (options->list) {
    for (const auto& row : rows) fmt::print("{}\n", row->name());
    return 0;
  }
  if (!options->file.empty()) require_writable(options->file);
#ifndef NDEBUG
  fmt::print(stderr, "This is a debug build: its numbers are worth nothing.\n");
#endif
  if (interrupted()) return exit_interrupted;
  session.ceilings = measure_ceilings(options->threads, options->ceiling_seconds);
  if (!backend(Device::cuda).why_unavailable()) session.cuda_ceilings = measure_cuda_ceilings();
  for (const auto& [key, value] : describe(session)) benchmark::AddCustomContext(key, value);
  benchmark::AddCustomContext("rows", fmt::format("{}", wanted));
  run_rows(rows, *options);
  if (interrupted()) {
    fmt::print(stderr, "siamese_bench: interrupted; rows that were not finished are left out\n");
    return exit_interrupted;
  }
  return session.failed ? exit_failure : 0;
}

}  // namespace

int run_program(int argc, char** argv) {
  return exit_code_of("siamese_bench", [&] { return run(argc, argv); });
}

}  // namespace siamese::bench
