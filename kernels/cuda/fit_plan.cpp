#include "kernels/cuda/fit_plan.h"

#include <algorithm>

#include "kernels/cuda/panel.h"
#include "kernels/multiples.h"
#include "model/adam.h"

namespace siamese::cuda {
namespace {

class Arena {
 public:
  explicit Arena(std::int64_t shared_bytes) : most_shared_(shared_bytes) {}

  Place take(std::int64_t bytes) {
    bytes = round_up(bytes, alignment);
    const bool shared = shared_ + bytes <= most_shared_;
    std::int64_t& used = shared ? shared_ : workspace_;
    const Place place{shared, used};
    used += bytes;
    return place;
  }
  std::int64_t shared() const { return shared_; }
  std::int64_t workspace() const { return workspace_; }

 private:
  static constexpr std::int64_t alignment = 16;  // of packs
  std::int64_t most_shared_;
  std::int64_t shared_ = 0;
  std::int64_t workspace_ = 0;
};

}  // namespace

template <class T>
FitPlan plan_fit(const FitArgs<T>& args, std::int64_t threads, std::int64_t pair_bytes,
                 std::int64_t shared_bytes) {
  const Network& network = *args.training.network;
  FitPlan plan{};
  plan.batches = fit_batches(args);
  plan.parameters = parameter_count(network, args.training.loss);
  plan.merge = network.parameter_count();
  plan.layers = static_cast<int>(network.layers().size());
  plan.cost_count = static_cast<int>(std::min<std::int64_t>(plan.batches.batch, threads));

  const std::int64_t rows = plan.batches.most_rows;
  Arena arena(shared_bytes);
  plan.adam = arena.take(sizeof(AdamStep));
  for (int l = 0; l < plan.layers; ++l) {
    const Layer& layer = network.layers()[static_cast<std::size_t>(l)];
    PlannedLayer& planned = plan.layer[l];
    planned.inputs = static_cast<int>(layer.inputs);
    planned.outputs = static_cast<int>(layer.outputs);
    planned.activation = layer.activation;
    planned.parameters = layer.weights_offset;
    planned.weights = arena.take(panel_bytes<T>(layer.inputs + 1, layer.outputs));
  }
  plan.pairs = arena.take(plan.batches.batch * pair_bytes);
  plan.costs = arena.take(plan.cost_count * static_cast<std::int64_t>(sizeof(double)));
  plan.input = arena.take(panel_bytes<T>(rows, network.input_width() + 1));
  for (int l = plan.layers; l-- > 0;) {  // the embeddings first: small, and in use most often
    PlannedLayer& planned = plan.layer[l];
    planned.output = arena.take(panel_bytes<T>(rows, planned.outputs + 1));
    planned.gradient = arena.take(panel_bytes<T>(rows, planned.outputs));
  }
  plan.shared_bytes = arena.shared();
  plan.workspace_bytes = arena.workspace();
  return plan;
}

template FitPlan plan_fit(const FitArgs<float>&, std::int64_t, std::int64_t, std::int64_t);
template FitPlan plan_fit(const FitArgs<double>&, std::int64_t, std::int64_t, std::int64_t);

}  // namespace siamese::cuda
