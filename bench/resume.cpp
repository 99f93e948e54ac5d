#include "bench/resume.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/error.h"
#include "model/file.h"

namespace siamese::bench {

std::set<std::string> rows_of(const std::string& path) {
  std::set<std::string> names;
  try {
    const nlohmann::json document = nlohmann::json::parse(read_file(path));
    for (const auto& run : document.at("benchmarks")) {
      names.insert(run.at("run_name").get<std::string>());
    }
  } catch (const Failure& error) {
    throw UsageError(fmt::format("--resume: {}", error.what()));
  } catch (const nlohmann::json::exception&) {
    throw UsageError(fmt::format("--resume: {}: expected JSON that siamese_bench wrote", path));
  }
  return names;
}

}  // namespace siamese::bench
