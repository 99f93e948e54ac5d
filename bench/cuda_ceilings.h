#pragma once

#include "bench/work.h"
#include "kernels/variant.h"

namespace siamese::bench {

/// What a CUDA device can do at most, as large copies, the vendor's products and kernels that do
/// nothing show it.
struct CudaCeilings {
  double float32 = 0.0;  ///< of a large product by cuBLAS, operations/s
  double tf32 = 0.0;
  double bf16 = 0.0;
  double float64 = 0.0;
  double l2_bytes = 0.0;
  double l2_bandwidth = 0.0;      ///< of a copy within the L2 cache, read and written, bytes/s
  double memory_bandwidth = 0.0;  ///< of a copy far beyond it
  double launch_seconds = 0.0;    ///< a kernel that does nothing, by the stopwatch
  double node_seconds = 0.0;      ///< the same, as one of many in a graph
  double clock_hertz = 0.0;       ///< the highest clock of a multiprocessor that was seen

  /// The peak of a precision's products, operations/s. 3xTF32 multiplies in TF32.
  double peak(Precision precision) const;

  /// The bandwidth at which this many bytes may flow: the cache's where they fit it.
  double bytes_per_second(double bytes) const;

  /// The least time for some work, seconds: whichever takes longer, its operations at the peak or
  /// its bytes at their bandwidth; and a launch, for there is at least one.
  double least_seconds(const Work& work, Precision precision) const;
};

/// Measures them, in a few seconds. In a build without CUDA, throws Failure.
CudaCeilings measure_cuda_ceilings();

}  // namespace siamese::bench
