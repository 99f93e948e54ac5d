#pragma once

#include <map>
#include <string>

#include "bench/session.h"

namespace siamese::bench {

/// What results say about where they come from: problem, machine, build and ceilings, as text by
/// name; results/README.md explains each.
std::map<std::string, std::string> describe(const Session& session);

}  // namespace siamese::bench
