#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "bench/work.h"
#include "kernels/variant.h"

namespace siamese::bench {

/// Bytes a second over a working set of `bytes`, all threads together.
struct Bandwidth {
  double bytes;
  double bytes_per_second;
};

/// What the CPU can do at most, as loops that do nothing else show it: the best of several rounds,
/// for a neighbour on the machine makes a round slower, never faster.
struct Ceilings {
  int threads = 1;
  double float32_one_core = 0.0;   ///< FMA peak, operations/s
  double float32_all_cores = 0.0;  ///< of `threads` cores
  double float64_one_core = 0.0;
  double float64_all_cores = 0.0;
  std::vector<Bandwidth> bandwidth;  ///< by growing working set, never rising
  double launch_seconds = 0.0;       ///< to set `threads` threads going and wait for them

  /// The FMA peak of all threads in a precision, operations/s.
  double peak(Precision precision) const;

  /// The highest bandwidth at which this many bytes may flow: that of the largest measured working
  /// set which is no larger.
  double bytes_per_second(double bytes) const;

  /// The least time for some work, seconds: whichever takes longer, its operations at the peak or
  /// its bytes at their bandwidth. By all threads, which have to be set going, or by one, which has
  /// not, whichever is faster.
  double least_seconds(const Work& work, Precision precision) const;
};

/// Measures the CPU's ceilings in interleaved rounds for `seconds`. `threads` is what the variants
/// use; the widest instruction set of the machine counts, whatever SIAMESE_ISA has chosen.
Ceilings measure_ceilings(int threads, double seconds);

/// Seconds that `threads` cores take for so many float32 operations, as multiply-adds on registers
/// alone: no kernel with as many is faster.
double multiply_add_seconds(double operations, int threads);

/// The float32 FMA rate of `threads` cores now, operations/s, in a few milliseconds: held against
/// the ceiling it tells whether the machine is at its full speed.
double probe_float32(int threads);

}  // namespace siamese::bench
