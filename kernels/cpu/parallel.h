#pragma once

#include <omp.h>

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/flush_to_zero.h"

// The one place where the CPU kernels start threads. They are OpenMP's; but GCC's OpenMP runtime is
// not built for ThreadSanitizer, which would take its barriers for none and report races that are
// not there. So a build with ThreadSanitizer starts std::threads, for the same code and the same
// barriers.
#if defined(__SANITIZE_THREAD__)
#define SIAMESE_STD_THREADS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SIAMESE_STD_THREADS 1
#endif
#endif

#ifdef SIAMESE_STD_THREADS
#include <barrier>
#include <thread>
#include <vector>
#endif

namespace siamese {

/// One thread's place among those that run a body together.
class Team {
 public:
#ifdef SIAMESE_STD_THREADS
  Team(int index, int size, std::barrier<>* barrier)
      : index_(index), size_(size), barrier_(barrier) {}
  void barrier() const {
    if (size_ > 1) barrier_->arrive_and_wait();
  }
#else
  Team(int index, int size) : index_(index), size_(size) {}
  /// Waits for all of the team; every one of them must come here.
  void barrier() const {
    if (size_ > 1) {
#pragma omp barrier
    }
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
#ifdef SIAMESE_STD_THREADS
  std::barrier<>* barrier_;
#endif
};

/// Runs body(team) on at most `threads` threads, team.size() of them (fewer where OpenMP has no
/// more), each flushing denormal numbers to zero; returns when all are done. The body must not
/// throw.
template <class Body>
void parallel(int threads, const Body& body) {
#ifdef SIAMESE_STD_THREADS
  std::barrier<> barrier(threads);
  std::vector<std::thread> others;
  const auto run = [&](int index) {
    const FlushToZero flush;
    body(Team(index, threads, &barrier));
  };
  for (int index = 1; index < threads; ++index) others.emplace_back(run, index);
  run(0);
  for (std::thread& other : others) other.join();
#else
  if (threads == 1) {
    const FlushToZero flush;
    body(Team(0, 1));
    return;
  }
#pragma omp parallel num_threads(threads)
  {
    const FlushToZero flush;
    body(Team(omp_get_thread_num(), omp_get_num_threads()));
  }
#endif
}

/// The threads that pay for `work` units of which one thread should have `least` or more.
inline int threads_for(double work, double least) {
  const double most = static_cast<double>(omp_get_max_threads());
  return static_cast<int>(std::clamp(work / least, 1.0, most));
}

}  // namespace siamese
