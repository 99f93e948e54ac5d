#pragma once

#include <set>
#include <string>

namespace siamese::bench {

/// The names of the rows that a results file of siamese_bench holds, timed or refused. Throws
/// UsageError where the file is none, one line that names it.
std::set<std::string> rows_of(const std::string& path);

}  // namespace siamese::bench
