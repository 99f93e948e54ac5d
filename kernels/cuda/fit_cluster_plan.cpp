#include "kernels/cuda/fit_cluster_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "kernels/cuda/launch.h"
#include "kernels/cuda/panel.h"
#include "kernels/cuda/shared_memory.h"
#include "kernels/multiples.h"
#include "model/adam.h"

namespace siamese::cuda {
namespace {

constexpr std::int64_t alignment = 16;  // of packs

}  // namespace

template <class T>
ClusterPlan plan_cluster(const FitArgs<T>& args, std::int64_t threads, std::int64_t pair_bytes) {
  const Network& network = *args.training.network;
  ClusterPlan plan{};
  plan.batches = fit_batches(args);
  plan.parameters = parameter_count(network, args.training.loss);
  plan.merge_parameters = network.parameter_count();
  plan.merge_count = static_cast<int>(plan.parameters - plan.merge_parameters);
  plan.layers = static_cast<int>(network.layers().size());
  plan.cost_count = static_cast<int>(std::min<std::int64_t>(plan.batches.batch, threads));

  const std::int64_t rows = plan.batches.most_rows;
  SharedLayout layout(alignment);
  plan.adam = layout.take(sizeof(AdamStep));
  plan.costs = layout.take(plan.cost_count * static_cast<std::int64_t>(sizeof(double)));
  plan.pairs = layout.take(plan.batches.batch * pair_bytes);
  plan.input = layout.take(panel_bytes<T>(rows, network.input_width() + 1));
  const std::int64_t width = network.embedding_width();
  plan.shares = layout.take(2 * cluster_blocks * panel_bytes<T>(rows, width));
  plan.embeddings = layout.take(panel_bytes<T>(rows, width + 1));  // embedding_stride
  plan.merge =
      layout.take(std::int64_t{3} * plan.merge_count * static_cast<std::int64_t>(sizeof(T)));
  for (int l = 0; l < plan.layers; ++l) {
    const Layer& layer = network.layers()[static_cast<std::size_t>(l)];
    const bool last = l == plan.layers - 1;
    ClusterLayer& sliced = plan.layer[l];
    sliced.inputs = static_cast<int>(layer.inputs);
    sliced.outputs = static_cast<int>(layer.outputs);
    sliced.activation = layer.activation;
    sliced.parameters = layer.weights_offset;
    sliced.units = static_cast<int>(ceil_div(layer.outputs, cluster_blocks));
    sliced.gathered = l < plan.layers - 2;
    const std::int64_t columns = last ? layer.outputs : sliced.units;
    const std::int64_t weight_bytes =
        panel_bytes<T>((last ? plan.layer[l - 1].units : layer.inputs) + 1, columns);
    sliced.weights = layout.take(weight_bytes);
    sliced.m = layout.take(weight_bytes);
    sliced.v = layout.take(weight_bytes);
    sliced.gradient = layout.take(panel_bytes<T>(rows, columns));
    if (last) continue;
    if (sliced.gathered) {
      sliced.output = layout.take(2 * panel_bytes<T>(rows, layer.outputs + 1));
      sliced.received = layout.take(cluster_blocks * panel_bytes<T>(rows, sliced.units));
    } else {
      sliced.output = layout.take(panel_bytes<T>(rows, sliced.units + 1));
    }
  }
  plan.shared_bytes = layout.bytes();
  return plan;
}

template <class T>
std::optional<std::string> why_no_cluster(const FitArgs<T>& args, std::int64_t threads,
                                          std::int64_t pair_bytes) {
  if (auto reason = why_no_fit(args)) return reason;
  if (args.training.network->layers().size() < 2) {
    return "a network without a hidden layer; the cluster slices hidden units";
  }
  const std::int64_t bytes = plan_cluster(args, threads, pair_bytes).shared_bytes;
  const std::int64_t most = shared_limit(shared_bytes_90);
  if (bytes <= most) return std::nullopt;
  return fmt::format("{} bytes of shared memory a block; expected at most {}", bytes, most);
}

template ClusterPlan plan_cluster(const FitArgs<float>&, std::int64_t, std::int64_t);
template ClusterPlan plan_cluster(const FitArgs<double>&, std::int64_t, std::int64_t);
template std::optional<std::string> why_no_cluster(const FitArgs<float>&, std::int64_t,
                                                   std::int64_t);
template std::optional<std::string> why_no_cluster(const FitArgs<double>&, std::int64_t,
                                                   std::int64_t);

}  // namespace siamese::cuda
