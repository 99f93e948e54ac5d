#pragma once

#include <stdexcept>

namespace siamese::landmarks {

/// The user asked to stop; programs say so in one line and exit with 130, as shells expect.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Throws Interrupted where Ctrl-C or the like was noted (model/interrupt.h) before anything was
/// written.
void check_interrupt();

}  // namespace siamese::landmarks
