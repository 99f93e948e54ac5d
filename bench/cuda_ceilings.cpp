#include "bench/cuda_ceilings.h"

#include "model/error.h"

namespace siamese::bench {

double CudaCeilings::peak(Precision precision) const {
  switch (precision) {
    case Precision::float64:
      return float64;
    case Precision::float32:
      return float32;
    case Precision::tf32:
    case Precision::tf32x3:
      return tf32;
    case Precision::bf16:
      return bf16;
  }
  throw UsageError("unknown precision");
}

double CudaCeilings::bytes_per_second(double bytes) const {
  return bytes <= l2_bytes ? l2_bandwidth : memory_bandwidth;
}

double CudaCeilings::least_seconds(const Work& work, Precision precision) const {
  return bench::least_seconds(work, peak(precision), bytes_per_second(work.bytes)) + launch_seconds;
}

}  // namespace siamese::bench
