#pragma once

#include <cstdint>

#include "kernels/cpu/isa.h"

namespace siamese::bench {

/// Loops that do nothing but press against one limit of a core, compiled once for each instruction
/// set. Arrays are 64-byte aligned and their counts multiples of 64.
struct ProbeLoops {
  /// Independent multiply-adds on registers alone; the operations of one round, a multiply-add
  /// counting two.
  double (*multiply_add_float32)(std::int64_t rounds);
  double float32_operations_per_round;
  double (*multiply_add_float64)(std::int64_t rounds);
  double float64_operations_per_round;

  /// Reads x [count]; returns its sum.
  double (*read)(const double* x, std::int64_t count);
  /// Reads and writes x [count].
  void (*update)(double* x, std::int64_t count);
};

template <Isa isa>
ProbeLoops probe_loops();

}  // namespace siamese::bench
