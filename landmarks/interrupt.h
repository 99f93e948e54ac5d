#pragma once

#include <stdexcept>

namespace siamese::landmarks {

/// The user asked to stop; programs say so in one line and exit with 130, as shells expect.
struct Interrupted : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// From now on a first Ctrl-C (or SIGTERM) is only noted; a second one ends the process.
void note_interrupts();

/// Throws Interrupted where one was noted.
void check_interrupt();

}  // namespace siamese::landmarks
