#include <fmt/format.h>

#include <cstdio>
#include <new>
#include <optional>
#include <string_view>

#include "landmarks/experiment.h"
#include "landmarks/interrupt.h"
#include "landmarks/options.h"
#include "landmarks/output_folder.h"
#include "landmarks/report.h"
#include "model/error.h"
#include "model/interrupt.h"
#include "model/utf8.h"

namespace siamese::landmarks {
namespace {

void run(const Options& options) {
  note_interrupts();
  std::optional<OutputFolder> folder;
  if (!options.out.empty()) folder.emplace(options.out);

  NumpyRandom random(options.seed);
  const Dataset data = make_dataset(options, random);
  fmt::print("{}", describe_task(options, data));
  std::fflush(stdout);

  const Results results = run_experiment(options, data, random);
  fmt::print("{}", describe_results(options, data, results));
  if (!folder) return;

  write_results(*folder, options, data, results);
  check_interrupt();
  folder->commit();
  fmt::print("\nwritten   {}\n", folder->path().string());
  if (!options.pictures) return;
  std::fflush(stdout);
  fmt::print("          {}\n", draw_pictures(folder->path()));
}

}  // namespace
}  // namespace siamese::landmarks

int main(int argc, char** argv) {
  using namespace siamese;
  const auto fail = [](std::string_view what, int code) {
    fmt::print(stderr, "siamese_landmarks: {}\n", escaped(what));
    return code;
  };
  try {
    const auto options = landmarks::parse_options(argc, argv);
    if (options) landmarks::run(*options);
    if (std::fflush(stdout) != 0) return fail("cannot write to standard output", 1);
    return 0;
  } catch (const UsageError& error) {
    return fail(error.what(), 2);
  } catch (const landmarks::Interrupted& stop) {
    return fail(stop.what(), 130);
  } catch (const std::bad_alloc&) {
    return fail("memory: these sizes need more than the machine gives", 1);
  } catch (const std::exception& error) {
    return fail(error.what(), 1);
  }
}
