#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/flush_to_zero.h"

// The one place where the CPU kernels start threads. They are OpenMP's, which keeps them waiting
// between teams. A build without OpenMP starts std::threads for the same code and the same
// barriers: so do builds with ThreadSanitizer, for no OpenMP runtime at hand is built for it, and
// it would take the runtime's barriers for none and report races that are not there.
// ThreadSanitizer follows accesses of up to 16 bytes: run it with SIAMESE_ISA=sse2, or it is blind
// to what the kernels do with wider vectors.
#ifdef _OPENMP
#include <omp.h>
#else
#include <barrier>
#include <thread>
#include <vector>
#endif

namespace siamese {

/// One thread's place among those that run a body together.
class Team {
 public:
#ifdef _OPENMP
  Team(int index, int size) : index_(index), size_(size) {}
  /// Waits for all of the team; every one of them must come here.
  void barrier() const {
    if (size_ > 1) {
#pragma omp barrier
    }
  }
#else
  Team(int index, int size, std::barrier<>* barrier = nullptr)
      : index_(index), size_(size), barrier_(barrier) {}
  void barrier() const {
    if (size_ > 1) barrier_->arrive_and_wait();
  }
#endif

  int index() const { return index_; }
  int size() const { return size_; }

  /// This thread's share of 0 .. count - 1, in whole multiples of `grain` but for the last.
  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };
  Range share(std::int64_t count, std::int64_t grain = 1) const {
    const std::int64_t grains = (count + grain - 1) / grain;
    return {grains * index_ / size_ * grain,
            std::min(grains * (index_ + 1) / size_ * grain, count)};
  }

 private:
  int index_;
  int size_;
#ifndef _OPENMP
  std::barrier<>* barrier_;
#endif
};

/// Runs body(team) on at most `threads` threads, team.size() of them (fewer where OpenMP has no
/// more), each flushing denormal numbers to zero; returns when all are done. The body must not
/// throw.
template <class Body>
void parallel(int threads, const Body& body) {
  if (threads == 1) {
    const FlushToZero flush;
    body(Team(0, 1));
    return;
  }
#ifdef _OPENMP
#pragma omp parallel num_threads(threads)
  {
    const FlushToZero flush;
    body(Team(omp_get_thread_num(), omp_get_num_threads()));
  }
#else
  std::barrier<> barrier(threads);
  const auto run = [&](int index) {
    const FlushToZero flush;
    body(Team(index, threads, &barrier));
  };
  std::vector<std::thread> others;
  for (int index = 1; index < threads; ++index) others.emplace_back(run, index);
  run(0);
  for (std::thread& other : others) other.join();
#endif
}

/// As many threads as a team may have: OMP_NUM_THREADS, else the processors.
inline int most_threads() {
#ifdef _OPENMP
  return omp_get_max_threads();
#else
  return static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
#endif
}

/// The threads that pay for `work` units of which one thread should have `least` or more.
inline int threads_for(double work, double least) {
  const double most = static_cast<double>(most_threads());
  return static_cast<int>(std::clamp(work / least, 1.0, most));
}

}  // namespace siamese
