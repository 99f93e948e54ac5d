#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "kernels/cpu/flush_to_zero.h"
#include "kernels/multiples.h"

// The one place where the CPU kernels start threads, and how these wait for each other.
//
// Threads of GCC's OpenMP runtime wait by spinning, for some 20 ms. That is fast while each has a
// processor of its own; but where another program runs as well, one that spins may hold the
// processor that the one it waits for is queued on, and a step of 0.1 ms was seen to take 20. To
// sleep at once is slow in another way: a processor of a virtual machine that sleeps has to be
// given back by the host. Threads here spin for some microseconds, then yield their processor again
// and again to whoever wants it, and sleep after milliseconds.

namespace siamese {

/// Where threads wait for each other, again and again.
class Barrier {
 public:
  /// Returns when `threads` threads have come.
  void wait(int threads);

 private:
  std::atomic<std::uint32_t> arrived_ = 0;
  std::atomic<std::uint32_t> phase_ = 0;
};

/// One thread's place among those that run a body together.
class Team {
 public:
  /// `barrier` is needed by more than one.
  Team(int index, int size, Barrier* barrier = nullptr)
      : index_(index), size_(size), barrier_(barrier) {}

  int index() const { return index_; }
  int size() const { return size_; }

  /// Waits for all of the team; every one of them must come here.
  void barrier() const {
    if (size_ > 1) barrier_->wait(size_);
  }

  /// This thread's share of 0 .. count - 1, in whole multiples of `grain` but for the last.
  struct Range {
    std::int64_t begin;
    std::int64_t end;
  };
  Range share(std::int64_t count, std::int64_t grain = 1) const {
    const std::int64_t grains = ceil_div(count, grain);
    return {grains * index_ / size_ * grain,
            std::min(grains * (index_ + 1) / size_ * grain, count)};
  }

 private:
  int index_;
  int size_;
  Barrier* barrier_;
};

/// A body with what it captures, without owning it.
struct TeamBody {
  void (*call)(const void* body, Team team);
  const void* body;
};

/// Runs the body on a team of at most `threads` threads, of which the caller is the first; returns
/// when all are done. They are fewer where the system gives no more, and it is the caller alone
/// where another thread has a team at work or the caller is in one.
void run_team(int threads, TeamBody body);

/// The same, with each thread flushing denormal numbers to zero. The body must not throw.
template <class Body>
void parallel(int threads, const Body& body) {
  run_team(threads, {[](const void* what, Team team) {
                       const FlushToZero flush;
                       (*static_cast<const Body*>(what))(team);
                     },
                     &body});
}

/// As many threads as a team of this thread's may have: OMP_NUM_THREADS, else the processors; 1 in
/// a team. OpenMP's regions, Eigen's products among them, have as many at most.
int most_threads();
void set_most_threads(int threads);

/// Ends the threads that OpenMP keeps spinning after its regions, until it needs some again.
void end_openmp_threads();

/// The threads that pay for `work` units of which one thread should have `least` or more.
inline int threads_for(double work, double least) {
  const double most = static_cast<double>(most_threads());
  return static_cast<int>(std::clamp(work / least, 1.0, most));
}

}  // namespace siamese
