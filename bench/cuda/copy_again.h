#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace siamese::bench {

/// One launch that copies device memory `times` times, each thread one vector at a time, past the
/// L1 caches: of a buffer that the L2 cache holds it shows that cache, and no pause between copies.
class CopyAgain {
 public:
  /// Fills the current device with threads.
  CopyAgain();

  /// Bytes of a copy in which each thread has one vector.
  std::int64_t round_bytes() const;

  /// `bytes` is a multiple of round_bytes(); buffers are aligned to 16 bytes.
  void launch(const char* from, char* to, std::int64_t bytes, int times, cudaStream_t stream) const;

 private:
  unsigned blocks_;
};

}  // namespace siamese::bench
