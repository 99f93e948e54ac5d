#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "landmarks/trainer.h"
#include "model/error.h"
#include "model/permutation.h"

namespace siamese::landmarks {
namespace {

constexpr std::string_view reference_name = "reference";

template <class T, class From>
Buffer<T> on_device(Device device, const std::vector<From>& values) {
  const std::vector<T> converted(values.begin(), values.end());
  return Buffer<T>(device, std::span<const T>(converted));
}

// The arguments of a training step as far as shapes go.
TrainStepArgs<float> step_shapes(const TrainingTask& task) {
  TrainStepArgs<float> args;
  args.network = &task.network;
  args.points = task.x.rows;
  args.pairs.form = task.all_pairs ? PairForm::all : PairForm::indexed;
  args.pairs.count = task.pair_count();
  args.pairs.coordinate_width = task.coordinates.columns;
  args.loss = *task.loss;
  args.adam = task.adam;
  return args;
}

// A task on a device: everything that stays there over the whole training.
struct DeviceTask {
  DeviceTask(Device device, const TrainingTask& task)
      : x(on_device<float>(device, task.x.elements)),
        coordinates(on_device<float>(device, task.coordinates.elements)),
        parameters(on_device<float>(device, task.parameters)),
        m(on_device<float>(device, std::vector<float>(task.parameters.size(), 0.0F))),
        v(on_device<float>(device, std::vector<float>(task.parameters.size(), 0.0F))),
        step(on_device<std::int64_t>(device, std::vector<std::int64_t>{0})) {}

  // Everything but the pairs of a list and the loss, which trainers hold themselves.
  TrainStepArgs<float> args(const TrainingTask& task) const {
    TrainStepArgs<float> args = step_shapes(task);
    args.x = x.data();
    args.pairs.coordinates = coordinates.data();
    args.parameters = parameters.data();
    args.m = m.data();
    args.v = v.data();
    args.step = step.data();
    return args;
  }

  Buffer<float> x;
  Buffer<float> coordinates;
  Buffer<float> parameters;
  Buffer<float> m;
  Buffer<float> v;
  Buffer<std::int64_t> step;
};

std::vector<double> as_doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

void run(Device device, const Launch& launch) {
  launch(Stream{});
  backend(device).synchronize(Stream{});
}

template <class Args>
std::string full_name(const Variant<Args>& variant) {
  return fmt::format("{}/{}/{}/{}", op_name<Args>, siamese::name(variant.device), variant.name,
                     siamese::name(variant.precision));
}

// --- Many epochs a call
// ---------------------------------------------------------------------------

// The shapes of what one call of a variant of these arguments gets.
template <class Args>
Args shapes(const TrainingTask& task);

template <>
FitArgs<float> shapes(const TrainingTask& task) {
  FitArgs<float> args;
  args.training = step_shapes(task);
  args.epochs = 1;
  args.batch = task.all_pairs ? task.pair_count() : task.batch;
  return args;
}

class FitTrainer final : public Trainer {
 public:
  FitTrainer(const TrainingTask& task, const Variant<FitArgs<float>>& variant)
      : task_(task),
        variant_(variant),
        device_task_(variant.device, task),
        first_(on_device<PointIndex>(variant.device, task.pairs.first)),
        second_(on_device<PointIndex>(variant.device, task.pairs.second)),
        targets_(on_device<float>(variant.device, task.targets)) {}

  std::vector<double> train(std::int64_t epochs) override {
    const Buffer<double> losses(variant_.device, epochs);
    auto args = shapes<FitArgs<float>>(task_);
    args.training = device_task_.args(task_);
    args.training.pairs.first = first_.data();
    args.training.pairs.second = second_.data();
    args.training.pairs.targets = targets_.data();
    args.training.loss_value = losses.data();
    args.epochs = epochs;
    args.shuffle_seed =
        Permutation::seed_after(task_.shuffle_seed, static_cast<std::uint64_t>(epochs_done_));
    run(variant_.device, variant_.prepare(args));
    epochs_done_ += epochs;
    return losses.copy_out();
  }

  std::vector<double> parameters() const override {
    return as_doubles(device_task_.parameters.copy_out());
  }
  std::string name() const override { return full_name(variant_); }

 private:
  const TrainingTask& task_;
  const Variant<FitArgs<float>>& variant_;
  DeviceTask device_task_;
  Buffer<PointIndex> first_;
  Buffer<PointIndex> second_;
  Buffer<float> targets_;
  std::int64_t epochs_done_ = 0;
};

std::unique_ptr<Trainer> make(const TrainingTask& task, const Variant<FitArgs<float>>& variant) {
  return std::make_unique<FitTrainer>(task, variant);
}

// --- One step a call
// ------------------------------------------------------------------------------

template <>
TrainStepArgs<float> shapes(const TrainingTask& task) {
  TrainStepArgs<float> args = step_shapes(task);
  if (!task.all_pairs) args.pairs.count = std::min(task.batch, task.pair_count());
  return args;
}

/// Gathers each batch on the host and hands it to train_step; for all pairs there is nothing to
/// gather.
class StepTrainer final : public Trainer {
 public:
  StepTrainer(const TrainingTask& task, const Variant<TrainStepArgs<float>>& variant)
      : task_(task),
        variant_(variant),
        device_task_(variant.device, task),
        batch_(task.all_pairs ? task.pair_count() : std::min(task.batch, task.pair_count())),
        first_(variant.device, task.all_pairs ? 0 : batch_),
        second_(variant.device, task.all_pairs ? 0 : batch_),
        targets_(variant.device, task.all_pairs ? 0 : batch_),
        loss_(variant.device, 1),
        full_step_(variant.prepare(step_args(batch_))) {
    const std::int64_t rest = task.pair_count() % batch_;
    if (rest != 0) last_step_ = variant.prepare(step_args(rest));
  }

  std::vector<double> train(std::int64_t epochs) override {
    std::vector<double> curve;
    for (std::int64_t epoch = 0; epoch < epochs; ++epoch) curve.push_back(train_epoch());
    return curve;
  }

  std::vector<double> parameters() const override {
    return as_doubles(device_task_.parameters.copy_out());
  }
  std::string name() const override { return full_name(variant_); }

 private:
  TrainStepArgs<float> step_args(std::int64_t pairs) const {
    TrainStepArgs<float> args = device_task_.args(task_);
    args.pairs.count = pairs;
    args.pairs.first = first_.data();
    args.pairs.second = second_.data();
    args.pairs.targets = targets_.data();
    args.loss_value = loss_.data();
    return args;
  }

  double train_epoch() {
    const std::int64_t count = task_.pair_count();
    const Permutation order(count, {task_.shuffle_seed, static_cast<std::uint64_t>(epochs_done_)});
    double sum = 0;
    for (std::int64_t begin = 0; begin < count; begin += batch_) {
      const std::int64_t pairs = std::min(batch_, count - begin);
      if (!task_.all_pairs) bring_batch(order, begin, pairs);
      run(variant_.device, pairs == batch_ ? full_step_ : last_step_);
      sum += loss_.copy_out()[0] * static_cast<double>(pairs);
    }
    ++epochs_done_;
    return sum / static_cast<double>(count);
  }

  void bring_batch(const Permutation& order, std::int64_t begin, std::int64_t pairs) {
    std::vector<PointIndex> first(static_cast<std::size_t>(batch_));
    std::vector<PointIndex> second(first.size());
    std::vector<float> targets(first.size());
    for (std::int64_t p = 0; p < pairs; ++p) {
      const auto to = static_cast<std::size_t>(p);
      const auto from = static_cast<std::size_t>(order(begin + p));
      first[to] = task_.pairs.first[from];
      second[to] = task_.pairs.second[from];
      targets[to] = static_cast<float>(task_.targets[from]);
    }
    first_.copy_in(first);
    second_.copy_in(second);
    targets_.copy_in(targets);
  }

  const TrainingTask& task_;
  const Variant<TrainStepArgs<float>>& variant_;
  DeviceTask device_task_;
  std::int64_t batch_;
  Buffer<PointIndex> first_;
  Buffer<PointIndex> second_;
  Buffer<float> targets_;
  Buffer<double> loss_;
  Launch full_step_;
  Launch last_step_;
  std::int64_t epochs_done_ = 0;
};

std::unique_ptr<Trainer> make(const TrainingTask& task,
                              const Variant<TrainStepArgs<float>>& variant) {
  return std::make_unique<StepTrainer>(task, variant);
}

// --- Choice
// ---------------------------------------------------------------------------------------

/// A variant of either registry as this program sees it.
struct Candidate {
  std::string name;
  std::string full_name;
  Precision precision;
  std::tuple<Device, bool, int, bool> rank;  ///< the greater the better
  std::optional<std::string> why_not;
  std::function<std::unique_ptr<Trainer>()> make_trainer;
};

// A device before the CPU, then the higher rung, then many epochs a call. But the rungs of fit and
// of train_step belong to two ladders. For a list of pairs fit goes first whatever its rung: a step
// of train_step waits for the host to gather its batch, and on a device takes longer by itself at
// the size of the original experiment (results/nvidia-h100-80gb-first). For all pairs there is
// nothing to gather, and train_step's rungs tile what fit, made for few points, does pair by pair.
template <class Args>
std::tuple<Device, bool, int, bool> rank(const TrainingTask& task, const Variant<Args>& variant) {
  const bool many_epochs = std::is_same_v<Args, FitArgs<float>>;
  return {variant.device, many_epochs && !task.all_pairs, variant.rung, many_epochs};
}

template <class Args>
void add_candidates(const TrainingTask& task, std::vector<Candidate>& candidates) {
  for (const Variant<Args>& variant : variants<Args>()) {
    std::optional<std::string> why_not = backend(variant.device).why_unavailable();
    if (!why_not && !task.loss) why_not = "the loss as written is the reference's alone";
    if (!why_not) why_not = variant.why_unsupported(shapes<Args>(task));
    candidates.push_back({variant.name, full_name(variant), variant.precision, rank(task, variant),
                          why_not, [&task, &variant] { return make(task, variant); }});
  }
}

// The best of the candidates that can do the task; null where none can.
const Candidate* best(const std::vector<Candidate>& candidates,
                      const std::function<bool(const Candidate&)>& wanted) {
  const Candidate* best = nullptr;
  for (const Candidate& candidate : candidates) {
    if (candidate.why_not || !wanted(candidate)) continue;
    if (best == nullptr || candidate.rank > best->rank) best = &candidate;
  }
  return best;
}

UsageError refusal(const std::vector<Candidate>& candidates, std::string_view variant) {
  std::string known(reference_name);
  for (const Candidate& candidate : candidates) {
    if (variant == candidate.name || variant == candidate.full_name) {
      return UsageError(fmt::format("variant '{}' cannot train this: {}", candidate.full_name,
                                    *candidate.why_not));
    }
    if (!candidate.why_not) known += ", " + candidate.full_name;
  }
  return UsageError(fmt::format(
      "variant '{}' is unknown; expected one of {}, which can train this here", variant, known));
}

}  // namespace

std::unique_ptr<Trainer> make_trainer(const TrainingTask& task, std::string_view variant) {
  if (task.pair_count() == 0) throw UsageError("training: no pairs; expected at least one");
  std::vector<Candidate> candidates;
  add_candidates<FitArgs<float>>(task, candidates);
  add_candidates<TrainStepArgs<float>>(task, candidates);

  if (variant.empty()) {
    const Candidate* const strict =
        best(candidates, [](const Candidate& c) { return c.precision == Precision::float32; });
    return strict != nullptr ? strict->make_trainer() : make_reference_trainer(task);
  }
  if (variant == reference_name) return make_reference_trainer(task);
  const Candidate* const named = best(candidates, [variant](const Candidate& c) {
    return variant == c.name || variant == c.full_name;
  });
  if (named == nullptr) throw refusal(candidates, variant);
  return named->make_trainer();
}

}  // namespace siamese::landmarks
