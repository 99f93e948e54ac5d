#include "kernels/cpu/parallel.h"

#ifdef _OPENMP
#include <omp.h>
#endif

#include <chrono>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

namespace siamese {
namespace {

constexpr std::chrono::microseconds spin_time{5};   // as long as a yield to nobody takes, or longer
constexpr std::chrono::milliseconds yield_time{2};  // longer than most waits

// Tells the processor that this is a loop which waits.
void relax() {
#ifdef __x86_64__
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

void wait_while(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto begin = std::chrono::steady_clock::now();
  for (auto waited = begin - begin; waited < yield_time;
       waited = std::chrono::steady_clock::now() - begin) {
    if (value.load(std::memory_order_acquire) != old) return;
    if (waited < spin_time) {
      relax();
    } else {
      std::this_thread::yield();
    }
  }
  value.wait(old, std::memory_order_acquire);
}

// While it lives, what this thread calls has no threads but this one: the others are at work.
class Alone {
 public:
  Alone() : before_(most_threads()) { set_most_threads(1); }
  ~Alone() { set_most_threads(before_); }
  Alone(const Alone&) = delete;
  Alone& operator=(const Alone&) = delete;

 private:
  int before_;
};

// Threads that wait for work, each on a count of its own of the teams that it was called to.
class ThreadPool {
 public:
  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() {
    body_.call = nullptr;
    for (const auto& worker : workers_) worker->summon();
    for (const auto& worker : workers_) worker->thread.join();
  }

  void run(int threads, TeamBody body) {
    if (threads == 1 || busy_.test_and_set(std::memory_order_acquire)) {
      body.call(body.body, Team(0, 1));
      return;
    }
    body_ = body;
    size_ = 1 + grow(threads - 1);
    for (int i = 1; i < size_; ++i) workers_[static_cast<std::size_t>(i - 1)]->summon();
    take_part(0);
    busy_.clear(std::memory_order_release);
  }

 private:
  struct alignas(64) Worker {  // no two in a cache line
    std::atomic<std::uint32_t> summons = 0;
    std::thread thread;

    void summon() {
      summons.fetch_add(1, std::memory_order_release);
      summons.notify_one();
    }
  };

  // Returns how many workers there are for a team that wants so many.
  int grow(int wanted) {
    try {
      while (static_cast<int>(workers_.size()) < wanted) {
        workers_.push_back(std::make_unique<Worker>());
        Worker& worker = *workers_.back();
        const int index = static_cast<int>(workers_.size());
        worker.thread = std::thread([this, &worker, index] { work(worker, index); });
      }
    } catch (const std::system_error&) {
      workers_.pop_back();  // the system has no more threads
    }
    return std::min(wanted, static_cast<int>(workers_.size()));
  }

  void work(const Worker& worker, int index) {
    for (std::uint32_t served = 0;; ++served) {
      wait_while(worker.summons, served);
      if (body_.call == nullptr) return;
      take_part(index);
    }
  }

  // All meet at the end: none reads body_ and size_ after the caller has returned.
  void take_part(int index) {
    const Alone alone;
    const Team team(index, size_, &barrier_);
    body_.call(body_.body, team);
    team.barrier();
  }

  std::atomic_flag busy_;
  Barrier barrier_;
  TeamBody body_{};
  int size_ = 1;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace

void Barrier::wait(int threads) {
  const std::uint32_t phase = phase_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 < static_cast<std::uint32_t>(threads)) {
    wait_while(phase_, phase);
    return;
  }
  arrived_.store(0, std::memory_order_relaxed);
  phase_.store(phase + 1, std::memory_order_release);
  phase_.notify_all();
}

void run_team(int threads, TeamBody body) {
  static ThreadPool pool;
  pool.run(threads, body);
}

#ifdef _OPENMP
int most_threads() { return omp_get_max_threads(); }
void set_most_threads(int threads) { omp_set_num_threads(threads); }
void end_openmp_threads() { omp_pause_resource_all(omp_pause_soft); }
#else
namespace {
thread_local int most = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
}
int most_threads() { return most; }
void set_most_threads(int threads) { most = threads; }
void end_openmp_threads() {}
#endif

}  // namespace siamese
