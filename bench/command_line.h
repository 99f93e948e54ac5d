#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace siamese::bench {

inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

/// Threads that a program may be asked for.
inline constexpr std::int64_t most_threads_asked = 4096;

/// Reads a command line. False where --help was asked for and answered. Throws UsageError.
bool parse_command_line(CLI::App& app, int argc, const char* const* argv);

/// The number from 1 to `most` that the value of an option is. Throws UsageError.
std::int64_t parse_count(const std::string& name, const std::string& text, std::int64_t most);

/// An option whose value is such a number.
template <class Integer>
void add_count(CLI::App& app, const std::string& name, Integer& value, std::int64_t most,
               const std::string& help) {
  const auto read = [name, most, &value](const std::string& text) {
    value = static_cast<Integer>(parse_count(name, text, most));
  };
  app.add_option_function<std::string>(
         name, read, help + ", 1 to " + std::to_string(most) + "; default " + std::to_string(value))
      ->type_name("N");
}

/// The options --network and --loss.
void add_problem(CLI::App& app, std::string& network, std::string& loss);

/// The exit code of a program whose work is `body`: what the body returns, or, after one escaped
/// line on standard error, exit_usage for a UsageError and exit_failure for any other exception.
int exit_code_of(std::string_view program, const std::function<int()>& body);

}  // namespace siamese::bench
