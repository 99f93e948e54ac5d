#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "kernels/device.h"
#include "kernels/variant.h"

namespace siamese::bench {

/// Seconds since some fixed moment, by the steady clock.
double now();

/// Processor seconds of this program so far, all threads together.
double process_seconds();

/// Measures launches on a device.
class Stopwatch {
 public:
  virtual ~Stopwatch() = default;

  /// Runs `launch` to its end and returns the seconds that it took on the device: by the steady
  /// clock on the CPU, between two events of its stream on a CUDA device, which begins when the
  /// host has sent all of it.
  virtual double seconds(const Launch& launch) = 0;

  /// Fills the caches with something else, so that the next launch finds nothing of its own there.
  virtual void flush_caches() = 0;

  /// What the device's speed is right now, in a few milliseconds or less: operations/s of the FMA
  /// loop on the CPU, the clock in hertz of a CUDA device. Held against the ceilings it tells
  /// whether the device is at its full speed.
  virtual double speed() = 0;
};

std::unique_ptr<Stopwatch> make_stopwatch(Device device);

/// Behind make_stopwatch: bench/cuda/cuda_stopwatch.cpp, or no_cuda.cpp in a build without CUDA.
std::unique_ptr<Stopwatch> make_cuda_stopwatch();

/// How long to measure.
struct Effort {
  double goal_seconds = 0.1;  ///< timed per repetition
  double cap_seconds = 10.0;  ///< of wall clock per repetition, what is not timed included
};

/// How many timed runs a repetition takes: enough for the goal, but no more than the cap leaves
/// room for, and at least one. `run` does one run with all that goes around it and returns its
/// timed seconds. The first run is a warm-up that decides nothing.
std::int64_t calibrate(const std::function<double()>& run, const Effort& effort);

}  // namespace siamese::bench
