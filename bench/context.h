#pragma once

#include <map>
#include <string>

#include "bench/options.h"
#include "bench/session.h"

namespace siamese::bench {

/// What results say about where they come from: problem, machine and build, as text by name;
/// results/README.md explains each.
std::map<std::string, std::string> describe(const Options& options);

/// The same and the ceilings, once they are measured.
std::map<std::string, std::string> describe(const Session& session);

}  // namespace siamese::bench
