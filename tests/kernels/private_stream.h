#pragma once

#include <memory>

#include "kernels/device.h"

namespace siamese {

/// A stream of a test's own, which is not ordered with the default stream: a launch that leaves
/// some of its work to that one is found out. The CPU's one stream on the CPU.
class PrivateStream {
 public:
  explicit PrivateStream(Device device);

  Stream get() const { return stream_; }

  /// Whether the default stream has nothing to do. The virtual GPU starts no work before somebody
  /// waits for it, so there this is exact; a GPU may have done what it had.
  bool is_default_stream_idle() const;

 private:
  std::shared_ptr<const void> owner_;  // of the stream, on a GPU
  Stream stream_;
};

}  // namespace siamese
