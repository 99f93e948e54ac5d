#include "bench/timing.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <vector>

#include "bench/ceilings.h"
#include "bench/memory.h"
#include "kernels/cpu/parallel.h"

namespace siamese::bench {
namespace {

class SteadyStopwatch final : public Stopwatch {
 public:
  double seconds(const Launch& launch) override {
    const double begin = now();
    launch(Stream{});
    return now() - begin;
  }

  void flush_caches() override {
    if (junk_.empty()) {
      junk_.resize(static_cast<std::size_t>(bytes_beyond_caches()) / sizeof(std::int64_t));
    }
    parallel(most_threads(), [&](Team team) {
      const Team::Range share = team.share(static_cast<std::int64_t>(junk_.size()));
      for (std::int64_t i = share.begin; i < share.end; ++i) ++junk_[static_cast<std::size_t>(i)];
    });
  }

  double speed() override { return probe_float32(most_threads()); }

 private:
  std::vector<std::int64_t> junk_;
};

}  // namespace

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double process_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

std::unique_ptr<Stopwatch> make_stopwatch(Device device) {
  if (device == Device::cuda) return make_cuda_stopwatch();
  return std::make_unique<SteadyStopwatch>();
}

std::int64_t calibrate(const std::function<double()>& run, const Effort& effort) {
  // Estimates come from the fastest of a few runs, for a disturbance makes runs longer, never
  // shorter; a long run is its own estimate.
  constexpr int most_runs = 10;
  constexpr std::int64_t most_launches = 1000000;
  run();
  const double enough = now() + effort.goal_seconds / 2.0;
  double timed = HUGE_VAL;
  double wall = HUGE_VAL;
  for (int i = 0; i < most_runs && (i == 0 || now() < enough); ++i) {
    const double begin = now();
    timed = std::min(timed, run());
    wall = std::min(wall, now() - begin);
  }
  const double wanted = std::ceil(effort.goal_seconds / std::max(timed, 1e-9));
  const double allowed = std::floor(effort.cap_seconds / std::max(wall, 1e-9));
  const double launches =
      std::clamp(std::min(wanted, allowed), 1.0, static_cast<double>(most_launches));
  return static_cast<std::int64_t>(launches);
}

}  // namespace siamese::bench
