#include "bench/session.h"

namespace siamese::bench {

Stopwatch& Session::stopwatch(Device device) {
  std::unique_ptr<Stopwatch>& stopwatch = stopwatches_[device];
  if (!stopwatch) stopwatch = make_stopwatch(device);
  return *stopwatch;
}

}  // namespace siamese::bench
