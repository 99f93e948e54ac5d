// The CPU's one stream, in a build without CUDA.

#include "tests/kernels/private_stream.h"

namespace siamese {

PrivateStream::PrivateStream(Device /*device*/) {}

bool PrivateStream::is_default_stream_idle() const { return true; }

}  // namespace siamese
