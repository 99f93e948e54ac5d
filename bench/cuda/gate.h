#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

namespace siamese::bench {

/// Holds a stream back until the host has sent all of what is to be measured: the device then never
/// waits for the host in between, however slowly that sends.
class Gate {
 public:
  Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  ~Gate();

  /// As long as one lives, the stream stands still at this place, but no longer than 20 ms: a
  /// launch that itself waits for the device must not wait for ever.
  class Closed {
   public:
    Closed(Gate& gate, cudaStream_t stream);
    Closed(const Closed&) = delete;
    Closed& operator=(const Closed&) = delete;
    ~Closed();

   private:
    Gate& gate_;
  };

 private:
  volatile std::uint32_t* opened_ = nullptr;  // in host memory that the device sees
  std::uint32_t turn_ = 0;                    // how often it was closed
};

/// Puts a kernel that does nothing on the stream.
void launch_nothing(cudaStream_t stream);

/// Puts a kernel of some 50 us on the stream that leaves in `hertz`, which the device must see, the
/// clock of the multiprocessor that it ran on.
void launch_read_clock(double* hertz, cudaStream_t stream);

}  // namespace siamese::bench
