#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <string_view>

#include "model/error.h"

namespace siamese::bench {

inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

/// Reads a command line. False where --help was asked for and answered. Throws UsageError.
inline bool parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return false;
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; see --help", error.what()));
  }
}

/// The exit code of a program whose work is `body`: what the body returns, or, after one line on
/// standard error, exit_usage for a UsageError and exit_failure for any other exception.
inline int exit_code_of(std::string_view program, const std::function<int()>& body) {
  const auto fail = [&](const std::exception& error, int code) {
    fmt::print(stderr, "{}: {}\n", program, error.what());
    return code;
  };
  try {
    return body();
  } catch (const UsageError& error) {
    return fail(error, exit_usage);
  } catch (const std::exception& error) {
    return fail(error, exit_failure);
  }
}

}  // namespace siamese::bench
