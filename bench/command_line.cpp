#include "bench/command_line.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <iostream>
#include <system_error>

#include "model/error.h"
#include "model/loss.h"
#include "model/utf8.h"

namespace siamese::bench {
bool parse_command_line(CLI::App& app, int argc, const char* const* argv) {
  try {
    app.parse(argc, argv);
    return true;
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return false;
  } catch (const CLI::ArgumentMismatch& error) {
    // "--name: 1 required TEXT missing"
    const std::string text = error.what();
    throw UsageError(
        fmt::format("{}: expected a value; see --help", text.substr(0, text.find(':'))));
  } catch (const CLI::ParseError& error) {
    throw UsageError(fmt::format("{}; see --help", error.what()));
  }
}

std::int64_t parse_count(const std::string& name, const std::string& text, std::int64_t most) {
  std::int64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || stopped != end || count < 1 || count > most) {
    throw UsageError(fmt::format("{}: '{}'; expected a whole number, 1 to {}", name, text, most));
  }
  return count;
}

void add_problem(CLI::App& app, std::string& network, std::string& loss) {
  app.add_option("--network", network, "layers; default " + network)->type_name("LAYERS");
  app.add_option("--loss", loss,
                 fmt::format("DISTANCE[/CRITERION[:CONSTANT]]; default {}\n"
                             "distances: {}\n"
                             "criteria: {}\n"
                             "CONSTANT: delta of huber, margin of contrastive",
                             loss, distance_names(), criterion_names()))
      ->type_name("LOSS");
}

int exit_code_of(std::string_view program, const std::function<int()>& body) {
  const auto fail = [&](const std::exception& error, int code) {
    fmt::print(stderr, "{}: {}\n", program, escaped(error.what()));
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
