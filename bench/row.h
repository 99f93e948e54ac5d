#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "bench/session.h"

namespace siamese::bench {

/// One row of the results: a variant of an op at a shape.
class Row {
 public:
  virtual ~Row() = default;

  /// "op/device_variant/precision/form/points:N/pairs:M", as shape_name ends it (bench/axes.h).
  virtual const std::string& name() const = 0;

  /// One repetition, as Google Benchmark calls it. The first one makes the data, verifies and
  /// calibrates; each one verifies what its last launch left.
  virtual void run(benchmark::State& state) = 0;

  /// Gives back the data.
  virtual void close() = 0;

  /// What the row is compared with, which the rows beside it that name the same share.
  virtual const std::string& problem() const = 0;

  /// Seconds of wall clock that the row is likely to take, from what is known so far.
  virtual double foretold_seconds() const = 0;

  /// The same of the problem's reference, which is made once.
  virtual double foretold_reference_seconds() const = 0;
};

/// The message of a repetition that is not a result; reporters leave it out. Google Benchmark knows
/// only rows and errors.
inline constexpr const char* dropped = "dropped";

/// The message of a repetition that Ctrl-C came before.
inline constexpr const char* cut_short = "cut short";

/// The counter that brings the processor time of a launch, all threads together and what puts its
/// inputs back included; reporters show it as Google Benchmark's CPU time.
inline constexpr const char* cpu_seconds_counter = "cpu_seconds";

/// What the messages of rows begin with that were not attempted, which is no failure.
inline constexpr const char* skipped = "skipped: ";

/// Every variant whose device is there at every shape of its op's axes that it supports, in the
/// order op, shape, variant. The session must outlive them.
std::vector<std::unique_ptr<Row>> make_rows(Session& session);

/// Seconds of wall clock that the rows from `begin` to before `end` are likely to take.
double foretold_seconds(const std::vector<std::unique_ptr<Row>>& rows, std::size_t begin,
                        std::size_t end);

}  // namespace siamese::bench
