#include "bench/ceilings.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <new>
#include <numeric>

#include "bench/memory.h"
#include "bench/simd/probe.h"
#include "bench/timing.h"
#include "kernels/cpu/parallel.h"
#include "model/error.h"

namespace siamese::bench {
namespace {

constexpr std::int64_t kibibyte = 1024;
constexpr std::int64_t page = 4 * kibibyte;
// Of a thread, from what a core's first cache holds. The largest set of all threads is what no
// cache holds; those that would be larger, with many threads, are left out.
constexpr std::int64_t working_sets[] = {16 * kibibyte,           128 * kibibyte,
                                         512 * kibibyte,          2 * kibibyte* kibibyte,
                                         8 * kibibyte* kibibyte,  32 * kibibyte* kibibyte,
                                         128 * kibibyte* kibibyte};

ProbeLoops widest_loops() {
#ifdef __x86_64__
  switch (runnable_isas().back()) {
    case Isa::avx512:
      return probe_loops<Isa::avx512>();
    case Isa::avx2:
      return probe_loops<Isa::avx2>();
    default:
      return probe_loops<Isa::sse2>();
  }
#else
  return probe_loops<Isa::neon>();
#endif
}

// Where results go, so that no loop can be left out.
std::atomic<double> sink;

// Seconds that `threads` threads take to run `body(thread)` at the same time.
double together(int threads, const std::function<double(int)>& body) {
  double begin = 0.0;
  double end = 0.0;
  parallel(threads, [&](Team team) {
    team.barrier();
    if (team.index() == 0) begin = now();
    const double result = body(team.index());
    team.barrier();
    if (team.index() == 0) end = now();
    sink.store(result, std::memory_order_relaxed);
  });
  return end - begin;
}

struct MultiplyAdd {
  double (*loop)(std::int64_t);
  double operations_per_round;
};

const MultiplyAdd& float32_probe() {
  static const ProbeLoops loops = widest_loops();
  static const MultiplyAdd probe{loops.multiply_add_float32, loops.float32_operations_per_round};
  return probe;
}

// Rounds of the loop that take one thread about `seconds`.
std::int64_t rounds_for(const MultiplyAdd& probe, double seconds) {
  constexpr std::int64_t trial_rounds = 4000;
  const double trial = together(1, [&](int) { return probe.loop(trial_rounds); });
  return static_cast<std::int64_t>(seconds / std::max(trial, 1e-7) * trial_rounds) + 1;
}

// Operations a second that `threads` threads reach by running at the same time, each by its own
// clock: a thread that a neighbour delays does not hide what the others reach.
double multiply_add_ceiling(const MultiplyAdd& probe, int threads, double seconds) {
  const std::int64_t rounds = rounds_for(probe, seconds);
  const double operations = probe.operations_per_round * static_cast<double>(rounds);
  std::vector<double> rates(static_cast<std::size_t>(threads));
  together(threads, [&](int thread) {
    const double begin = now();
    const double result = probe.loop(rounds);
    rates[static_cast<std::size_t>(thread)] = operations / (now() - begin);
    return result;
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

// Seconds of a launch with nothing to do, the least of some: its threads begin, and are waited for.
double empty_launch(int threads) {
  constexpr int launches = 50;
  double least = HUGE_VAL;
  for (int i = 0; i < launches; ++i) {
    const double begin = now();
    parallel(threads, [](Team) {});
    least = std::min(least, now() - begin);
  }
  return least;
}

// Memory of all threads, each thread's part touched first by itself.
class Arena {
 public:
  Arena(int threads, std::int64_t doubles_per_thread)
      : count_(doubles_per_thread),
        data_(static_cast<double*>(::operator new(
            static_cast<std::size_t>(threads* doubles_per_thread) * sizeof(double), alignment))) {
    together(threads, [&](int thread) {
      std::fill_n(part(thread), count_, 1.0);
      return 0.0;
    });
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { ::operator delete(data_, alignment); }

  double* part(int thread) const { return data_ + thread * count_; }

 private:
  static constexpr std::align_val_t alignment{page};
  std::int64_t count_;
  double* data_;
};

// Bytes a second of all threads, each going over its `bytes` again and again for about `seconds`;
// the better of reading alone and of reading and writing in place.
double bandwidth(const ProbeLoops& loops, const Arena& arena, int threads, std::int64_t bytes,
                 double seconds) {
  const std::int64_t count = bytes / static_cast<std::int64_t>(sizeof(double));
  const auto rate = [&](double crossings, const std::function<double(double*)>& pass) {
    double best = 0.0;
    std::int64_t passes = 1;
    for (double spent = 0.0; spent < seconds / 2.0;) {
      const double elapsed = together(threads, [&](int thread) {
        double sum = 0.0;
        for (std::int64_t p = 0; p < passes; ++p) sum += pass(arena.part(thread));
        return sum;
      });
      best = std::max(best, crossings * static_cast<double>(bytes * passes) * threads / elapsed);
      spent += elapsed;
      if (elapsed < 1e-3) passes *= 2;  // long enough for the clock and the barriers
    }
    return best;
  };
  return std::max(rate(1.0, [&](double* x) { return loops.read(x, count); }),
                  rate(2.0, [&](double* x) {
                    loops.update(x, count);
                    return 0.0;
                  }));
}

}  // namespace

double Ceilings::peak(Precision precision) const {
  return precision == Precision::float64 ? float64_all_cores : float32_all_cores;
}

double Ceilings::bytes_per_second(double bytes) const {
  double rate = bandwidth.front().bytes_per_second;
  for (const Bandwidth& level : bandwidth) {
    if (level.bytes <= bytes) rate = level.bytes_per_second;
  }
  return rate;
}

double Ceilings::least_seconds(const Work& work, Precision precision) const {
  const bool wide = precision == Precision::float64;
  const double bandwidth_here = bytes_per_second(work.bytes);
  return std::min(
      bench::least_seconds(work, wide ? float64_one_core : float32_one_core, bandwidth_here),
      bench::least_seconds(work, peak(precision), bandwidth_here) + launch_seconds);
}

Ceilings measure_ceilings(int threads, double seconds) {
  if (threads < 1) throw UsageError("ceilings: expected at least one thread");
  const ProbeLoops loops = widest_loops();
  const MultiplyAdd& float32 = float32_probe();
  const MultiplyAdd float64{loops.multiply_add_float64, loops.float64_operations_per_round};

  std::vector<std::int64_t> sets(std::begin(working_sets), std::end(working_sets));
  // Whole pages a thread: the loops take aligned blocks.
  const std::int64_t beyond = std::max(page, bytes_beyond_caches() / threads / page * page);
  std::erase_if(sets, [&](std::int64_t bytes) { return bytes >= beyond; });
  sets.push_back(beyond);
  const Arena arena(threads, sets.back() / static_cast<std::int64_t>(sizeof(double)));

  Ceilings best;
  best.threads = threads;
  best.launch_seconds = HUGE_VAL;
  for (const std::int64_t bytes : sets) {
    best.bandwidth.push_back({static_cast<double>(bytes * threads), 0.0});
  }
  // Slices short enough to fall between what else the machine does, again and again.
  constexpr double slice = 2e-3;
  const double end = now() + seconds;
  while (now() < end) {
    const auto raise = [](double& value, double measured) { value = std::max(value, measured); };
    raise(best.float32_one_core, multiply_add_ceiling(float32, 1, slice));
    raise(best.float32_all_cores, multiply_add_ceiling(float32, threads, slice));
    raise(best.float64_one_core, multiply_add_ceiling(float64, 1, slice));
    raise(best.float64_all_cores, multiply_add_ceiling(float64, threads, slice));
    best.launch_seconds = std::min(best.launch_seconds, empty_launch(threads));
    for (std::size_t k = 0; k < sets.size(); ++k) {
      raise(best.bandwidth[k].bytes_per_second, bandwidth(loops, arena, threads, sets[k], slice));
    }
  }
  // A smaller set can always flow at least as fast as a larger one.
  for (std::size_t k = sets.size() - 1; k > 0; --k) {
    best.bandwidth[k - 1].bytes_per_second =
        std::max(best.bandwidth[k - 1].bytes_per_second, best.bandwidth[k].bytes_per_second);
  }
  return best;
}

double multiply_add_seconds(double operations, int threads) {
  const MultiplyAdd& probe = float32_probe();
  const double rounds = operations / threads / probe.operations_per_round;
  const auto whole = static_cast<std::int64_t>(rounds) + 1;
  const double seconds = together(threads, [&](int) { return probe.loop(whole); });
  return seconds * rounds / static_cast<double>(whole);
}

double probe_float32(int threads) {
  const MultiplyAdd& probe = float32_probe();
  const double operations =
      probe.operations_per_round * threads * static_cast<double>(rounds_for(probe, 2e-3));
  return operations / multiply_add_seconds(operations, threads);
}

}  // namespace siamese::bench
