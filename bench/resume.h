#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>

namespace siamese::bench {

/// A run that was interrupted, as its results file tells of it.
struct Begun {
  std::set<std::string> rows;                  ///< that it has, timed or refused
  std::size_t wanted = 0;                      ///< how many it had set out to do
  std::map<std::string, std::string> context;  ///< what it says of itself as text
};

/// Reads a results file of siamese_bench. Throws UsageError where the file is none, one line that
/// names it.
Begun read_begun(const std::string& path);

/// Throws UsageError where a run with these settings (bench/context.h) may not go on with that one:
/// their rows would not be comparable.
void require_same(const Begun& begun, const std::map<std::string, std::string>& settings,
                  const std::string& path);

}  // namespace siamese::bench
