#include "bench/session.h"

#include <csignal>

namespace siamese::bench {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int) { interrupt_seen = 1; }

}  // namespace

Stopwatch& Session::stopwatch(Device device) {
  std::unique_ptr<Stopwatch>& stopwatch = stopwatches_[device];
  if (!stopwatch) stopwatch = make_stopwatch(device);
  return *stopwatch;
}

bool interrupted() { return interrupt_seen != 0; }

void catch_interrupts() {
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  std::signal(SIGHUP, on_interrupt);
}

}  // namespace siamese::bench
