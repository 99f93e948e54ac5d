#include "tests/vgpu/runtime/work.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace vgpu {

struct Work {
  enum class State { queued, running, done };

  std::uint64_t number = 0;
  State state = State::queued;
  std::function<void()> run;
  std::vector<WorkPtr> after;
};

namespace {

/// As many submissions as a GPU's queue holds before a launch has to wait for room.
constexpr std::size_t kQueueLimit = 1024;

}  // namespace

WorkPtr WorkQueue::submit(std::function<void()> run, const std::vector<WorkPtr>& after) {
  if (queued_.size() >= kQueueLimit) {
    const WorkPtr oldest = queued_.begin()->second;
    finish(oldest);
  }
  auto work = std::make_shared<Work>();
  work->number = submitted_++;
  work->run = std::move(run);
  for (const WorkPtr& other : after) {
    if (!done(other)) work->after.push_back(other);
  }
  queued_.emplace(work->number, work);
  return work;
}

bool WorkQueue::done(const WorkPtr& work) {
  return work == nullptr || work->state == Work::State::done;
}

void WorkQueue::finish(const WorkPtr& work) {
  std::vector<WorkPtr> stack;  // each depends on the one below it
  if (!done(work)) stack.push_back(work);
  while (!stack.empty()) {
    const WorkPtr top = stack.back();
    std::erase_if(top->after, done);
    if (top->state == Work::State::done) {
      stack.pop_back();
    } else if (top->state ==
               Work::State::running) {  // in another thread, or in the host function that called us
      ran_.wait(mutex_);
    } else if (!top->after.empty()) {
      stack.push_back(top->after[choose(top->after.size())]);
    } else {
      run(top);
    }
  }
}

void WorkQueue::finish_all() {
  while (!queued_.empty()) {
    const std::size_t index = choose(queued_.size());
    const WorkPtr work = std::next(queued_.begin(), static_cast<std::ptrdiff_t>(index))->second;
    finish(work);
  }
}

void WorkQueue::abandon() {
  for (auto& [number, work] : queued_) {
    work->after.clear();
    if (work->state == Work::State::queued) work->state = Work::State::done;
  }
  queued_.clear();
  ran_.notify_all();
}

void WorkQueue::run(const WorkPtr& work) {
  const auto finished = [&] {
    work->state = Work::State::done;
    work->run = nullptr;
    queued_.erase(work->number);
    ran_.notify_all();
  };
  work->state = Work::State::running;
  try {
    work->run();
  } catch (...) {
    finished();
    throw;
  }
  finished();
}

/// An index below count: the last with seed 0, else drawn (splitmix64).
std::size_t WorkQueue::choose(std::size_t count) {
  if (seed_ == 0) return count - 1;
  std::uint64_t bits = random_state_ += 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::size_t>((bits ^ (bits >> 31)) % count);
}

}  // namespace vgpu
