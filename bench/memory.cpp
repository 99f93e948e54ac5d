#include "bench/memory.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace siamese::bench {
namespace {

using verify::ProblemSpec;

/// An upper estimate of what a problem and its reference hold, in doubles: activations and their
/// gradients, the pairs, and each training's parameters and moments, before and after.
double problem_bytes(const ProblemSpec& spec) {
  const Network& network = spec.network;
  const auto per_point = static_cast<double>(network.input_width() + network.hidden_width() +
                                             3 * network.embedding_width());
  const double pairs = spec.form == PairForm::all ? 0.0 : static_cast<double>(spec.pairs);
  const auto trained = static_cast<double>(parameter_count(network, spec.loss) * spec.trainings);
  return 8.0 * (4.0 * per_point * static_cast<double>(spec.points) + 8.0 * pairs + 8.0 * trained);
}

// Bytes that the machine can still give, or a guess where the system does not say.
double available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  double kibibytes = 0.0;
  std::string unit;
  while (file >> key >> kibibytes >> unit) {
    if (key == "MemAvailable:") return 1024.0 * kibibytes;
  }
  return 4e9;
}

}  // namespace

std::int64_t bytes_beyond_caches() {
  double largest = 128.0 * 1024.0 * 1024.0;  // some systems tell of none
  for (const int cache : {_SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE, _SC_LEVEL4_CACHE_SIZE}) {
    largest = std::max(largest, static_cast<double>(sysconf(cache)));
  }
  return static_cast<std::int64_t>(std::min(2.0 * largest, available_memory() / 4.0));
}

std::optional<std::string> why_too_large(const ProblemSpec& spec) {
  const double bytes = problem_bytes(spec);
  const double room = available_memory() / 2.0;
  if (bytes <= room) return std::nullopt;
  return fmt::format("its reference needs some {:.1f} GB of memory, and may take {:.1f}",
                     bytes * 1e-9, room * 1e-9);
}

}  // namespace siamese::bench
