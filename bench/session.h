#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/ceilings.h"
#include "bench/cuda_ceilings.h"
#include "bench/options.h"
#include "bench/timing.h"

namespace siamese::bench {

/// What the rows of one run share.
struct Session {
  Options options;
  Ceilings ceilings;
  std::optional<CudaCeilings> cuda_ceilings;  ///< where there is a CUDA device
  double row_cap_seconds = 0.0;               ///< wall clock for timing a row, all its repetitions
  double reference_cap_seconds = 0.0;         ///< wall clock for the reference of a shape
  bool failed = false;                        ///< a variant was wrong or did not run

  /// Seconds per useful operation of the last row of a variant and form, by "op/variant/..".
  std::map<std::string, double> seconds_per_operation;

  /// The same of the last reference of an op and form, by "op/form".
  std::map<std::string, double> reference_seconds_per_operation;

  /// The stopwatch of a device, which all rows share: what it flushes caches with is large.
  Stopwatch& stopwatch(Device device);

 private:
  std::map<Device, std::unique_ptr<Stopwatch>> stopwatches_;
};

}  // namespace siamese::bench
