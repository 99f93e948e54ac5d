#pragma once

#include <stdexcept>

namespace siamese {

/// The caller asked for something that does not exist or cannot be: an unknown name, a size out of
/// range, options that contradict each other. Programs print its one line and exit with 2.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Something that was asked for rightly went wrong: a file that cannot be read or written, data
/// with a NaN, a failed device call. Programs print its one line and exit with 1.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace siamese
