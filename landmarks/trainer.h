#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/adam.h"
#include "model/loss.h"
#include "model/matrix.h"
#include "model/network.h"
#include "model/pairs.h"

namespace siamese::landmarks {

/// All that training needs: the network where it starts, n points, their pairs and what they cost.
struct TrainingTask {
  Network network = seed_network();
  std::vector<float> parameters;  ///< initial: the network's, then the merge's
  Matrix<double> x;               ///< X [n, d0]
  std::optional<Loss> loss;       ///< nothing: the loss that the original script computes
  Adam adam;

  bool all_pairs = false;      ///< every pair of points in every step, instead of a list in batches
  Matrix<double> coordinates;  ///< all pairs only: C [n, c], whose distances are the targets
  PairList pairs;              ///< listed pairs only
  std::vector<double> targets;  ///< listed pairs only, one per pair
  std::int64_t batch = 0;       ///< listed pairs only
  std::uint64_t shuffle_seed = 0;

  std::int64_t pair_count() const {
    return all_pairs ? all_pairs_count(x.rows) : static_cast<std::int64_t>(targets.size());
  }
};

/// A training under way: one way to compute what FitArgs (kernels/ops.h) defines.
class Trainer {
 public:
  Trainer() = default;
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;
  virtual ~Trainer() = default;

  /// Trains so many epochs more (steps, for all pairs) and returns the mean loss of each. However
  /// the epochs are divided into calls, the pairs come in the same order.
  virtual std::vector<double> train(std::int64_t epochs) = 0;

  /// The parameters as they are now, flat.
  virtual std::vector<double> parameters() const = 0;

  /// Which variant computes: "fit/cpu/NAME/float32", or "reference".
  virtual std::string name() const = 0;
};

/// The reference (cpu_ref/train.h) in double: any task, slowly. The task must outlive it.
std::unique_ptr<Trainer> make_reference_trainer(const TrainingTask& task);

/// The trainer that `variant` names: a name or a full name of the registries of fit and train_step,
/// or "reference". Empty: the best in strict float32 that supports the task, on a CUDA device
/// before the CPU, for a list of pairs by fit before train_step, of the highest rung, else the
/// reference. Throws UsageError with the names that can do the task for an unknown one, and with
/// the reason where a named variant cannot do the task.
std::unique_ptr<Trainer> make_trainer(const TrainingTask& task, std::string_view variant);

}  // namespace siamese::landmarks
