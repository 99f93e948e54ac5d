#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/loss.h"
#include "model/network.h"

namespace siamese::bench {

/// What the command line of siamese_bench asks for.
struct Options {
  bool quick = false;  ///< the shapes and the times of the quick sweep
  bool progress =
      false;  ///< a line per row with the time left, instead of Google Benchmark's table
  std::vector<std::string> shapes;  ///< to time instead of a sweep's; empty for a sweep
  Network network = seed_network();
  Loss loss = {};
  int threads = 0;               ///< of OpenMP
  double patience = 1.0;         ///< the time that a row and a reference may take, over the usual
  double ceiling_seconds = 6.0;  ///< for the CPU's ceilings; 2 in the quick sweep
  std::string resume;            ///< results whose rows are not run again; none where empty

  // What the program must know of Google Benchmark's own flags.
  std::string filter = ".";  ///< --benchmark_filter, matched against the names as results show them
  bool list = false;         ///< --benchmark_list_tests
  int repetitions = 5;       ///< --benchmark_repetitions
  double goal_seconds = 0.1;  ///< --benchmark_min_time, per repetition; 0.03 in the quick sweep
  bool json_display = false;  ///< --benchmark_format=json
  std::string file;           ///< --benchmark_out; none where empty
  bool json_file = true;      ///< --benchmark_out_format=json

  /// What Google Benchmark itself is given: its flags, and this program's defaults for some.
  std::vector<std::string> benchmark_flags;
};

/// Reads the command line. Throws UsageError; nothing where --help was asked for and answered.
std::optional<Options> parse_options(int argc, const char* const* argv);

}  // namespace siamese::bench
