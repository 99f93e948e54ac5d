#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/loss.h"

namespace siamese::landmarks {

/// What a pair's distance is compared with.
enum class Target { distance, squared_distance };

/// What the user asked for, checked as far as that goes without the data.
struct Options {
  std::optional<Loss> loss;  ///< nothing: as the original script computes it
  Target target = Target::distance;
  std::int64_t points = 41;  ///< in all, the landmarks among them
  std::int64_t landmarks = 11;
  std::int64_t dimensions = 10;
  std::uint32_t seed = 0;
  std::uint64_t init_seed = 0;
  std::int64_t epochs = 0;
  std::int64_t batch = 128;
  bool all_pairs = false;
  double learning_rate = 1e-3;
  std::string variant;  ///< empty: the best
  std::string data;     ///< a file of the user's points; empty: points are drawn
  std::string unit;     ///< of coordinates, for output; empty: none
  std::string out;      ///< a folder; empty: nothing is written
  bool pictures = true;

  std::string loss_name() const { return loss ? name(*loss) : "as_written"; }
};

std::string_view name(Target target);

/// Reads the command line. Nothing where --help or --version was asked for and answered.
/// Throws UsageError, one line that names the option, for anything that cannot be.
std::optional<Options> parse_options(int argc, const char* const* argv);

}  // namespace siamese::landmarks
