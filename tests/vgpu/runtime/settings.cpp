#include "tests/vgpu/runtime/settings.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace vgpu {
namespace {

std::string text_variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

[[noreturn]] void refuse(const char* name, const std::string& value, const char* expected) {
  fmt::print(stderr, "vgpu: {}={}: expected {}\n", name, value, expected);
  std::exit(2);
}

template <typename Integer>
Integer integer_variable(const char* name) {
  const std::string text = text_variable(name);
  Integer value = 0;
  if (text.empty()) return value;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    refuse(name, text, "a whole number of 0 or more");
  }
  return value;
}

// A limit to pose with: what the model has, where none is given.
std::uint32_t posed_variable(const char* name, std::uint32_t most) {
  const std::string text = text_variable(name);
  if (text.empty()) return most;
  const auto value = integer_variable<std::uint32_t>(name);
  if (value == 0 || value > most)
    refuse(name, text, "1 or more, at most what the modelled device has");
  return value;
}

// A compute capability to pose with, such as 8.0.
std::uint32_t posed_capability() {
  const char* const name = "VGPU_CAPABILITY";
  const std::string text = text_variable(name);
  if (text.empty()) return kDevice.compute_capability;
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.size() == 3 && is_digit(text[0]) && text[1] == '.' && is_digit(text[2])) {
    const auto value = static_cast<std::uint32_t>(10 * (text[0] - '0') + (text[2] - '0'));
    if (value <= kDevice.compute_capability) return value;
  }
  refuse(name, text, "a compute capability such as 8.0, at most what the modelled device has");
}

}  // namespace

bool parse_checks(const std::string& names, Checks& checks) {
  checks = {.memory = false, .init = false, .race = false, .sync = false};
  if (names == "none") return true;
  std::istringstream stream(names);
  for (std::string name; std::getline(stream, name, ',');) {
    if (name == "memory") {
      checks.memory = true;
    } else if (name == "init") {
      checks.init = true;
    } else if (name == "race") {
      checks.race = true;
    } else if (name == "sync") {
      checks.sync = true;
    } else {
      return false;
    }
  }
  return true;
}

Settings settings_from_environment() {
  Settings settings;
  const std::string checks = text_variable("VGPU_CHECK");
  if (!checks.empty() && !parse_checks(checks, settings.checks)) {
    refuse("VGPU_CHECK", checks, "names of memory, init, race, sync with commas between");
  }
  settings.seed = integer_variable<std::uint64_t>("VGPU_SEED");
  settings.threads = integer_variable<int>("VGPU_THREADS");
  const auto watchdog = integer_variable<std::uint64_t>("VGPU_WATCHDOG");
  if (watchdog != 0) settings.watchdog = watchdog;
  settings.inject_errors = integer_variable<int>("VGPU_INJECT_ERRORS") != 0;
  settings.counters_file = text_variable("VGPU_COUNTERS");
  settings.counters_later = integer_variable<int>("VGPU_COUNTERS_LATER") != 0;
  settings.posed.multiprocessors =
      posed_variable("VGPU_MULTIPROCESSORS", settings.posed.multiprocessors);
  settings.posed.shared_per_block_opt_in =
      posed_variable("VGPU_SHARED_BYTES", settings.posed.shared_per_block_opt_in);
  settings.posed.compute_capability = posed_capability();
  settings.status_file = text_variable("VGPU_STATUS");
  return settings;
}

}  // namespace vgpu
