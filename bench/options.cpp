#include "bench/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <system_error>

#include "bench/axes.h"
#include "bench/command_line.h"
#include "kernels/cpu/parallel.h"
#include "model/error.h"
#include "model/numbers.h"

namespace siamese::bench {
namespace {

constexpr std::int64_t most_repetitions = 1000000;
constexpr std::int64_t most_parameters = 100000000;

constexpr const char* footer =
    "Google Benchmark's flags work as well, among them\n"
    "  --benchmark_filter=REGEX        rows to run; -REGEX: all others\n"
    "  --benchmark_list_tests          list the rows and stop\n"
    "  --benchmark_repetitions=N       default 5\n"
    "  --benchmark_min_time=SECONDS    timed per repetition, default 0.1, quick 0.03\n"
    "  --benchmark_format=console|json what standard output gets\n"
    "  --benchmark_out=FILE            a file as well, --benchmark_out_format=json|console\n"
    "bench/report makes tables, CSV and pictures from the JSON.\n"
    "Rows are named op/device_variant/precision/form/points:N/pairs:M, with /trainings:K behind\n"
    "where fit trains several networks at once. A variant is compared with\n"
    "the float64 reference before it is timed and after; a wrong one is an error, exit code 1.";

// The value of a flag "--name=value" of Google Benchmark; `alone` for "--name".
std::optional<std::string> flag_value(const std::string& argument, const std::string& name,
                                      const char* alone = nullptr) {
  if (argument.starts_with(name + "=")) return argument.substr(name.size() + 1);
  if (argument != name) return std::nullopt;
  if (alone == nullptr) throw UsageError(fmt::format("{0}: expected {0}=VALUE; see --help", name));
  return alone;
}

double parse_positive(const std::string& name, const std::string& text, double most) {
  const std::optional<double> value = parse_double(text);
  if (!value || !(*value > 0.0) || !(*value <= most)) {
    throw UsageError(
        fmt::format("{}: '{}'; expected a number above 0, at most {}", name, text, most));
  }
  return *value;
}

bool parse_format(const std::string& name, const std::string& text) {
  if (text != "console" && text != "json") {
    throw UsageError(fmt::format(
        "{}: '{}'; expected console or json (bench/report makes CSV from JSON)", name, text));
  }
  return text == "json";
}

bool parse_switch(const std::string& name, const std::string& text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  throw UsageError(fmt::format("{}: '{}'; expected true or false", name, text));
}

// Takes what this program must know; the flags whose meaning it takes over are not passed on.
void read_benchmark_flag(Options& options, const std::string& argument) {
  const auto value = [&](const char* name) { return flag_value(argument, name); };
  if (const auto filter = value("--benchmark_filter")) {
    options.filter = *filter == "all" || filter->empty() ? "." : *filter;
    return;
  }
  if (const auto list = flag_value(argument, "--benchmark_list_tests", "true")) {
    options.list = parse_switch("--benchmark_list_tests", *list);
    return;
  }
  if (const auto seconds = value("--benchmark_min_time")) {
    options.goal_seconds = parse_positive("--benchmark_min_time", *seconds, 1e4);
    return;
  }
  if (const auto count = value("--benchmark_repetitions")) {
    options.repetitions =
        static_cast<int>(parse_count("--benchmark_repetitions", *count, most_repetitions));
  }
  if (const auto unit = value("--benchmark_time_unit")) {
    if (*unit != "ns" && *unit != "us" && *unit != "ms" && *unit != "s") {
      throw UsageError(fmt::format("--benchmark_time_unit: '{}'; expected ns, us, ms or s", *unit));
    }
  }
  if (const auto format = value("--benchmark_format")) {
    options.json_display = parse_format("--benchmark_format", *format);
  }
  if (const auto format = value("--benchmark_out_format")) {
    options.json_file = parse_format("--benchmark_out_format", *format);
  }
  if (const auto file = value("--benchmark_out")) options.file = *file;
  options.benchmark_flags.push_back(argument);
}

}  // namespace

std::optional<Options> parse_options(int argc, const char* const* argv) {
  Options options;
  std::string network = options.network.name();
  std::string loss = name(options.loss);
  options.threads = most_threads();

  CLI::App app("Times every variant of every op, and verifies it first.", "siamese_bench");
  app.footer(footer);
  app.allow_extras();
  app.add_flag("--quick", options.quick,
               "the small shapes alone, float64 left out, less time a row");
  app.add_option(
         "--shape", options.shapes,
         "a shape to time instead of the sweep's, once or more: dense/points:N/pairs:M\n"
         "(N = 2 M), indexed/points:N/pairs:M or all/points:N/pairs:M (M = N (N - 1) / 2),\n"
         "and for fit with /trainings:K behind")
      ->type_name("SHAPE")
      ->allow_extra_args(false);
  add_problem(app, network, loss);
  add_count(app, "--threads", options.threads, most_threads_asked,
            "threads of the CPU variants and the ceilings");
  std::string patience = "1";
  app.add_option("--patience", patience,
                 "times the wall clock that a row (quick: 3 s, else 20) and the reference of its\n"
                 "shape (10, 60) may take; rows foretold to take longer are skipped")
      ->type_name("N");
  std::string ceilings;
  app.add_option("--ceilings", ceilings,
                 "time in which the CPU's ceilings are measured; default 6, quick 2")
      ->type_name("SECONDS");
  app.add_option("--resume", options.resume,
                 "JSON of a run that was interrupted: its rows are not run again;\n"
                 "bench/report NEW.json --begun OLD.json joins the two")
      ->type_name("FILE");
  app.add_flag("--progress", options.progress, "a line per row with the time left");
  if (!parse_command_line(app, argc, argv)) return std::nullopt;

  if (options.quick) {
    options.goal_seconds = 0.03;
    options.ceiling_seconds = 2.0;
  }
  for (const std::string& argument : app.remaining()) {
    if (!argument.starts_with("--benchmark_") && !argument.starts_with("--v=")) {
      throw UsageError(fmt::format("{}: unknown argument; see --help", argument));
    }
    read_benchmark_flag(options, argument);
  }
  // A flag that comes later wins.
  options.benchmark_flags.insert(options.benchmark_flags.begin(),
                                 {fmt::format("--benchmark_repetitions={}", options.repetitions),
                                  "--benchmark_time_unit=us", "--benchmark_counters_tabular=true"});

  options.patience = parse_positive("--patience", patience, 1e4);
  if (app.count("--ceilings") > 0) {
    options.ceiling_seconds = parse_positive("--ceilings", ceilings, 1e4);
  }
  options.network = Network::parse(network);
  options.loss = parse_loss(loss);
  try {
    named_shapes("fit", options.shapes, options.network);
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("--shape: {}", error.what()));
  }
  check_loss(options.network, options.loss);
  if (options.network.parameter_count() > most_parameters) {
    throw UsageError(fmt::format("--network: {} has {} parameters; expected at most {}", network,
                                 options.network.parameter_count(), most_parameters));
  }
  std::error_code none;  // of a file that does not exist yet
  if (std::filesystem::equivalent(options.resume, options.file, none)) {
    throw UsageError(
        fmt::format("--resume: {} is --benchmark_out's file too, which would replace it; "
                    "expected another, that bench/report --begun joins with it",
                    options.resume));
  }
  return options;
}

}  // namespace siamese::bench
