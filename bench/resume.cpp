#include "bench/resume.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "model/error.h"
#include "model/file.h"
#include "model/numbers.h"

namespace siamese::bench {
namespace {

// What must be alike for rows to stand in one table; bench/reporting/merge.py joins by the same.
constexpr const char* same[] = {
    "schema", "sweep",      "processor", "cuda_device", "cuda_driver", "cuda_compiler",
    "cublas", "threads",    "isa",       "compiler",    "flags",       "kernel_flags",
    "commit", "build_type", "network",   "loss",        "adam"};

}  // namespace

Begun read_begun(const std::string& path) {
  Begun begun;
  try {
    const nlohmann::json document = nlohmann::json::parse(read_file(path));
    for (const auto& [key, value] : document.at("context").items()) {
      if (value.is_string()) begun.context[key] = value.get<std::string>();
    }
    for (const auto& run : document.at("benchmarks").get_ref<const nlohmann::json::array_t&>()) {
      begun.rows.insert(run.at("run_name").get<std::string>());
    }
  } catch (const Failure& error) {
    throw UsageError(fmt::format("--resume: {}", error.what()));
  } catch (const nlohmann::json::exception&) {
    throw UsageError(fmt::format("--resume: {}: expected JSON that siamese_bench wrote", path));
  }
  const double wanted = parse_double(begun.context["rows"]).value_or(0.0);
  if (wanted > 0.0 && wanted < 1e9) begun.wanted = static_cast<std::size_t>(wanted);
  return begun;
}

void require_same(const Begun& begun, const std::map<std::string, std::string>& settings,
                  const std::string& path) {
  for (const char* key : same) {
    const auto before = begun.context.find(key);
    const std::string was = before == begun.context.end() ? "not told" : before->second;
    if (was != settings.at(key)) {
      throw UsageError(fmt::format(
          "--resume: {} is {} now, in {} it is {}; expected the same, for their rows go into one "
          "table",
          key, settings.at(key), path, was));
    }
  }
}

}  // namespace siamese::bench
