#pragma once
// Work that the program has submitted and that has not run yet. On a GPU such work runs at some
// time after the call that submitted it; what the program may rely on is only the order that it
// asked for by streams, events and waits. Here every piece of work runs as late as possible: when
// the program waits for it, after exactly the work that it was ordered after. So a program that
// forgets to wait sees, every time, what it would see on a GPU in the worst case.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace vgpu {

struct Work;
using WorkPtr = std::shared_ptr<Work>;

class WorkQueue {
 public:
  /// `mutex` guards the queue: every member is called with it held. Work may release it while it
  /// runs (host functions do). The seed orders work that the program left unordered: 0 runs the
  /// latest submitted first, others draw.
  WorkQueue(std::mutex& mutex, std::uint64_t seed)
      : mutex_(mutex), seed_(seed), random_state_(seed) {}

  /// Queues `run`, to be executed once all of `after` is done. Null pointers in `after` stand for
  /// nothing to wait for.
  WorkPtr submit(std::function<void()> run, const std::vector<WorkPtr>& after);

  /// Whether the work has run; true for a null pointer.
  static bool done(const WorkPtr& work);

  /// Runs the work and what it depends on, unless done already. What the work throws comes out.
  void finish(const WorkPtr& work);

  /// Runs everything that is queued.
  void finish_all();

  /// Drops everything that is queued: the device is lost.
  void abandon();

  std::size_t pending() const { return queued_.size(); }

 private:
  void run(const WorkPtr& work);
  std::size_t choose(std::size_t count);

  std::mutex& mutex_;
  std::condition_variable_any ran_;
  std::uint64_t seed_;
  std::uint64_t random_state_;
  std::uint64_t submitted_ = 0;
  std::map<std::uint64_t, WorkPtr> queued_;  // by order of submission
};

}  // namespace vgpu
