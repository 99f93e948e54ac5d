#include "bench/row.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <map>
#include <optional>
#include <utility>

#include "bench/axes.h"
#include "bench/find_variant.h"
#include "bench/memory.h"
#include "bench/timing.h"
#include "bench/work.h"
#include "kernels/cpu/parallel.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"
#include "model/interrupt.h"
#include "verify/adam.h"
#include "verify/backward.h"
#include "verify/forward.h"
#include "verify/loss.h"
#include "verify/train.h"

namespace siamese::bench {
namespace {

using verify::ProblemSpec;
using verify::Trial;

/// Below this part of its device's speed a repetition was disturbed (bench/reporting/results.py has
/// the same).
constexpr double quiet_machine = 0.9;

/// A row that is not attempted, with the reason.
struct Skipped {
  std::string reason;
};

/// Whether a launch changes what the next one reads. It is then put back, outside the brackets,
/// before each launch, so that every launch does the same and the last one can be verified.
template <class Args>
inline constexpr bool in_place = false;
template <class T>
inline constexpr bool in_place<AdamArgs<T>> = true;
template <class T>
inline constexpr bool in_place<TrainStepArgs<T>> = true;
template <class T>
inline constexpr bool in_place<FitArgs<T>> = true;

/// The rate of a key; the median of those that are known where it is not.
double likely(const std::map<std::string, double>& rates, const std::string& key) {
  if (const auto known = rates.find(key); known != rates.end()) return known->second;
  std::vector<double> others;
  others.reserve(rates.size());
  for (const auto& [_, rate] : rates) others.push_back(rate);
  if (others.empty()) return 0.0;
  const auto middle = others.begin() + static_cast<std::ptrdiff_t>(others.size() / 2);
  std::ranges::nth_element(others, middle);
  return *middle;
}

/// The problem of the last shape asked for, which all variants of an op share.
template <class Problem>
class ProblemStore {
 public:
  ProblemStore(Session& session, std::string_view op) : session_(session), op_(op) {}

  /// Makes the problem. Throws Skipped where memory or time would not do: the reference's time is
  /// foretold from the last one of the same form. `operations` is the shape's useful work.
  const Problem& get(const ProblemSpec& spec, double operations) {
    if (problem_ && spec.form == problem_->first.form && spec.points == problem_->first.points &&
        spec.pairs == problem_->first.pairs && spec.trainings == problem_->first.trainings) {
      return problem_->second;
    }
    problem_.reset();
    if (const auto reason = why_too_large(spec)) throw Skipped{*reason};
    double& rate = session_.reference_seconds_per_operation[rate_key(spec)];
    if (rate * operations > session_.reference_cap_seconds) {
      throw Skipped{fmt::format("its reference would take some {:.0f} s, cap {:.0f} s",
                                rate * operations, session_.reference_cap_seconds)};
    }
    const double begin = now();
    problem_.emplace(spec, Problem(spec));
    rate = (now() - begin) / std::max(operations, 1.0);
    return problem_->second;
  }

  /// Seconds that making the problem is likely to take.
  double foretold_seconds(const ProblemSpec& spec, double operations) const {
    const double seconds =
        likely(session_.reference_seconds_per_operation, rate_key(spec)) * operations;
    return seconds > session_.reference_cap_seconds ? 0.0 : seconds;  // it would be skipped
  }

 private:
  std::string rate_key(const ProblemSpec& spec) const {
    return fmt::format("{}/{}", op_, siamese::name(spec.form));
  }

  Session& session_;
  std::string op_;
  std::optional<std::pair<ProblemSpec, Problem>> problem_;
};

template <class Args>
class VariantRow final : public Row {
 public:
  using Problem = typename Trial<Args>::Problem;
  using Store = ProblemStore<Problem>;

  VariantRow(Session& session, const Variant<Args>& variant, const ProblemSpec& spec,
             std::shared_ptr<Store> store)
      : session_(session),
        variant_(variant),
        spec_(spec),
        work_(work(verify::shape_args<Args>(spec_))),
        store_(std::move(store)),
        series_(fmt::format("{}/{}", op_name<Args>, variant_name(variant))),
        name_(fmt::format("{}/{}", series_, shape_name(op_name<Args>, spec))),
        problem_(fmt::format("{}/{}", op_name<Args>, shape_name(op_name<Args>, spec))) {}

  const std::string& name() const override { return name_; }
  const std::string& problem() const override { return problem_; }

  // A repetition has a warm-up, the timed launches, and one with cold caches, which take a while to
  // be made so.
  double foretold_seconds() const override {
    constexpr double flushes = 0.1;
    const double launch = likely(session_.seconds_per_operation, rate_key()) * work_.operations;
    if (session_.seconds_per_operation.contains(rate_key()) && too_long(launch)) return 0.0;
    const double repetition =
        std::max(session_.options.goal_seconds, launch) + 2.0 * launch + flushes;
    return std::min(session_.row_cap_seconds, (session_.options.repetitions + 1) * repetition);
  }

  double foretold_reference_seconds() const override {
    return store_->foretold_seconds(spec_, work_.operations);
  }

  void run(benchmark::State& state) override {
    if (interrupted() || done_) {
      skip(state, done_ ? dropped : cut_short);
      return;
    }
    try {
      if (!trial_) open();
      measure(state);
    } catch (const Skipped& why) {
      done_ = true;
      skip(state, skipped + why.reason);
    } catch (const std::exception& error) {
      done_ = true;
      session_.failed = true;
      skip(state, error.what());
    }
  }

  void close() override {
    launch_ = nullptr;
    trial_.reset();
  }

 private:
  // Google Benchmark wants as many iterations of a repetition that failed as of one that did not.
  void skip(benchmark::State& state, const std::string& message) const {
    while (state.KeepRunningBatch(launches_)) {
    }
    state.SkipWithError(message.c_str());
  }

  void open() {
    // What is known of this variant at smaller shapes foretells the time of a launch.
    const auto known = session_.seconds_per_operation.find(rate_key());
    if (known != session_.seconds_per_operation.end()) {
      const double seconds = known->second * work_.operations;
      if (too_long(seconds)) {
        throw Skipped{fmt::format("a launch would take some {:.0f} s, cap {:.0f} s a row", seconds,
                                  session_.row_cap_seconds)};
      }
    }
    const Problem& problem = store_->get(spec_, work_.operations);
    row_end_ = now() + session_.row_cap_seconds;
    trial_.emplace(problem, variant_.device);
    trial_->reset();
    launch_ = variant_.prepare(trial_->args());
    const double first = timed_launch(Outputs::any);
    session_.seconds_per_operation.try_emplace(rate_key(), first / operations());
    verify("before timing");

    const Effort effort{session_.options.goal_seconds, repetition_cap()};
    if (first < effort.cap_seconds) {
      launches_ = calibrate([this] { return timed_launch(Outputs::any); }, effort);
    }
    warm_up_ = first < effort.cap_seconds;
  }

  // Whether a row of such launches is skipped: it has one that is verified and one that is timed.
  bool too_long(double seconds) const { return 2.0 * seconds > session_.row_cap_seconds; }

  // Whether so many launches more would be over by `end`.
  bool fits(int launches, double end) const {
    return now() + launches * launch_wall_seconds_ <= end;
  }

  double operations() const { return std::max(work_.operations, 1.0); }

  double repetition_cap() const {
    return session_.row_cap_seconds / (session_.options.repetitions + 1);
  }

  Stopwatch& stopwatch() { return session_.stopwatch(variant_.device); }

  // What a launch finds in its outputs: what the one before left may hide that it does nothing.
  enum class Outputs { any, poisoned };

  double timed_launch(Outputs outputs) {
    const double begin = now();
    if (in_place<Args> || outputs == Outputs::poisoned) trial_->reset();
    const double seconds = stopwatch().seconds(launch_);
    launch_wall_seconds_ = std::min(launch_wall_seconds_, now() - begin);
    return seconds;
  }

  // Throws Failure with the first comparison that fails.
  void verify(const char* when) {
    for (const ref::Comparison& comparison : trial_->compare(variant_.precision)) {
      if (!comparison.ok) {
        throw Failure(fmt::format("wrong {}: {}", when, comparison.describe()));
      }
      worst_error_ = std::max(worst_error_, comparison.ratio);
    }
    // The reference's threads would spin on for a while, beside what is timed next.
    end_openmp_threads();
  }

  // Launches that were timed one after another.
  struct Timed {
    std::int64_t launches = 0;
    double seconds = 0.0;      // of all of them
    double cpu_seconds = 0.0;  // of all threads together, with what puts inputs back
    double machine = 0.0;      // the speed around them over the highest seen
  };

  // Stops in time for `end`, but has one launch in any case. What the last one leaves is verified.
  Timed time_launches(double end) {
    trial_->reset();
    if (warm_up_) timed_launch(Outputs::any);
    const double speed = stopwatch().speed();
    Timed timed;
    const double cpu_begin = process_seconds();
    for (bool last = false; !last; ++timed.launches) {
      last = timed.launches + 1 >= launches_ || !fits(2, end);
      timed.seconds += timed_launch(last ? Outputs::poisoned : Outputs::any);
    }
    timed.cpu_seconds = process_seconds() - cpu_begin;
    timed.machine = std::min(speed, stopwatch().speed()) / full_speed();
    verify("after timing");
    return timed;
  }

  void measure(benchmark::State& state) {
    const double end = std::min(now() + repetition_cap(), row_end_);
    if (!fits(warm_up_ ? 2 : 1, row_end_)) {
      if (complete_ == 0) {
        throw Skipped{fmt::format("a launch takes {:.3g} s, cap {:.3g} s a row with its checks",
                                  launch_wall_seconds_, session_.row_cap_seconds)};
      }
      done_ = true;
      skip(state, dropped);
      return;
    }
    Timed timed = time_launches(end);
    // Where the machine has become slow since the calibration, the first repetition settles for
    // what the cap leaves; every other one must be as long, for they are compared.
    if (complete_ == 0) launches_ = timed.launches;
    // Where something else disturbed it, it is done again, once.
    if (timed.machine < quiet_machine && now() + 2.0 * timed.seconds < row_end_) {
      const Timed again = time_launches(row_end_);
      if (again.launches >= timed.launches && again.machine > timed.machine) timed = again;
    }
    if (timed.launches < launches_) {
      skip(state, dropped);
      return;
    }
    const std::optional<double> cold = cold_seconds();
    ++complete_;
    while (state.KeepRunningBatch(launches_)) state.SetIterationTime(timed.seconds);
    const auto count = static_cast<double>(timed.launches);
    report(state, timed.seconds / count);
    state.counters["machine"] = timed.machine;
    if (cold) state.counters["cold"] = *cold;
    state.counters[cpu_seconds_counter] = timed.cpu_seconds / count;
  }

  // The seconds of a launch that finds nothing in the caches, where the cap leaves time for one.
  // The flush is outside the bracket, and so is what puts data back.
  std::optional<double> cold_seconds() {
    if (!fits(1, row_end_)) return std::nullopt;
    trial_->reset();
    stopwatch().flush_caches();
    const double seconds = stopwatch().seconds(launch_);
    verify("after timing with cold caches");
    return seconds;
  }

  // The highest speed of the variant's device that was seen.
  double full_speed() const {
    return variant_.device == Device::cpu ? session_.ceilings.float32_all_cores
                                          : session_.cuda_ceilings->clock_hertz;
  }

  void report(benchmark::State& state, double seconds) {
    const double rate = seconds / operations();
    double& known = session_.seconds_per_operation[rate_key()];
    known = complete_ == 1 ? rate : std::min(known, rate);
    auto& counters = state.counters;
    const auto pairs = static_cast<double>(spec_.pairs * spec_.trainings);
    if (pairs > 0.0) counters["pairs/s"] = pairs / seconds;
    counters["FLOP/s"] = work_.operations / seconds;
    counters["bytes/s"] = work_.bytes / seconds;
    counters["error"] = worst_error_;
    const auto hold_against = [&](const auto& ceilings) {
      counters["floor"] = ceilings.least_seconds(work_, variant_.precision) / seconds;
      counters["peak"] = 100.0 * work_.operations / seconds / ceilings.peak(variant_.precision);
    };
    if (variant_.device == Device::cpu) {
      hold_against(session_.ceilings);
    } else {
      hold_against(*session_.cuda_ceilings);
    }
    state.SetLabel(fmt::format("rung {}", variant_.rung));
  }

  std::string rate_key() const { return fmt::format("{}/{}", series_, siamese::name(spec_.form)); }

  Session& session_;
  const Variant<Args>& variant_;
  ProblemSpec spec_;
  Work work_;
  std::shared_ptr<Store> store_;
  std::string series_;
  std::string name_;
  std::string problem_;

  std::optional<Trial<Args>> trial_;
  Launch launch_;
  std::int64_t launches_ = 1;              // timed in each repetition
  bool warm_up_ = true;                    // a launch so long needs none
  double row_end_ = 0.0;                   // when the cap is reached
  double launch_wall_seconds_ = HUGE_VAL;  // with what goes around it, the least seen
  double worst_error_ = 0.0;               // over its tolerance
  int complete_ = 0;                       // repetitions
  bool done_ = false;                      // no more repetitions are worth running
};

template <class Args>
void add_rows(Session& session, const ProblemSpec& spec,
              const std::shared_ptr<ProblemStore<typename Trial<Args>::Problem>>& store,
              std::vector<std::unique_ptr<Row>>& rows) {
  for (const Variant<Args>& variant : variants<Args>()) {
    if (backend(variant.device).why_unavailable()) continue;
    if (variant.why_unsupported(verify::shape_args<Args>(spec))) continue;
    rows.push_back(std::make_unique<VariantRow<Args>>(session, variant, spec, store));
  }
}

template <template <class> class Args>
void add_op(Session& session, std::vector<std::unique_ptr<Row>>& rows) {
  using Problem = typename Trial<Args<float>>::Problem;
  const auto store = std::make_shared<ProblemStore<Problem>>(session, op_name<Args<float>>);
  const Options& options = session.options;
  constexpr auto op = op_name<Args<float>>;
  for (ProblemSpec spec : options.shapes.empty()
                              ? shapes(op, options.quick)
                              : named_shapes(op, options.shapes, options.network)) {
    spec.network = options.network;
    spec.loss = options.loss;
    add_rows<Args<float>>(session, spec, store, rows);
    if (!options.quick) add_rows<Args<double>>(session, spec, store, rows);
  }
}

}  // namespace

std::vector<std::unique_ptr<Row>> make_rows(Session& session) {
  std::vector<std::unique_ptr<Row>> rows;
  add_op<PairForwardArgs>(session, rows);
  add_op<DistanceLossArgs>(session, rows);
  add_op<AllPairsLossArgs>(session, rows);
  add_op<PairBackwardArgs>(session, rows);
  add_op<AdamArgs>(session, rows);
  add_op<TrainStepArgs>(session, rows);
  add_op<FitArgs>(session, rows);
  return rows;
}

double foretold_seconds(const std::vector<std::unique_ptr<Row>>& rows, std::size_t begin,
                        std::size_t end) {
  double seconds = 0.0;
  for (std::size_t i = begin; i < end; ++i) {
    seconds += rows[i]->foretold_seconds();
    if (i == 0 || rows[i]->problem() != rows[i - 1]->problem()) {
      seconds += rows[i]->foretold_reference_seconds();
    }
  }
  return seconds;
}

}  // namespace siamese::bench
