#include "cpu_ref/train.h"
#include "landmarks/trainer.h"

namespace siamese::landmarks {
namespace {

using ref::RowMatrix;

class ReferenceTrainer final : public Trainer {
 public:
  explicit ReferenceTrainer(const TrainingTask& task)
      : task_(task),
        x_(ref::load<double>(task.x.data(), task.x.rows, task.x.columns)),
        coordinates_(ref::load<double>(task.coordinates.data(), task.coordinates.rows,
                                       task.coordinates.columns)),
        training_(task.network, {task.parameters.begin(), task.parameters.end()}, task.adam) {}

  std::vector<double> train(std::int64_t epochs) override {
    std::vector<double> curve = task_.all_pairs ? train_all(epochs) : train_listed(epochs);
    epochs_done_ += epochs;
    return curve;
  }

  std::vector<double> parameters() const override { return training_.parameters; }
  std::string name() const override { return "reference"; }

 private:
  std::vector<double> train_all(std::int64_t steps) {
    std::vector<double> curve;
    for (std::int64_t step = 0; step < steps; ++step) {
      curve.push_back(ref::train_step<double>(
          training_, x_,
          [this](const RowMatrix<double>& embeddings, std::span<const double> merge) {
            return ref::all_pairs_loss<double>(*task_.loss, embeddings, coordinates_, merge);
          }));
    }
    return curve;
  }

  std::vector<double> train_listed(std::int64_t epochs) {
    const ref::ListLoss<double> loss = [this](const RowMatrix<double>& embeddings,
                                              std::span<const double> merge, const PairList& pairs,
                                              std::span<const double> targets) {
      return task_.loss ? ref::pair_loss<double>(*task_.loss, embeddings, pairs, targets, merge)
                        : ref::as_written_loss<double>(embeddings, pairs, targets);
    };
    const std::uint64_t seed =
        Permutation::seed_after(task_.shuffle_seed, static_cast<std::uint64_t>(epochs_done_));
    return ref::fit<double>(training_, x_, task_.pairs, task_.targets, loss, epochs, task_.batch,
                            seed);
  }

  const TrainingTask& task_;
  RowMatrix<double> x_;
  RowMatrix<double> coordinates_;
  ref::Training<double> training_;
  std::int64_t epochs_done_ = 0;
};

}  // namespace

std::unique_ptr<Trainer> make_reference_trainer(const TrainingTask& task) {
  return std::make_unique<ReferenceTrainer>(task);
}

}  // namespace siamese::landmarks
