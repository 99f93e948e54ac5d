#include "kernels/cuda/fit_batches.h"

#include <fmt/format.h>

#include "kernels/cuda/panel.h"
#include "kernels/fit_checks.h"

namespace siamese::cuda {

template <class T>
std::optional<std::string> why_no_fit(const FitArgs<T>& args) {
  constexpr std::int64_t most_elements = std::int64_t{1} << 31;
  if (auto reason = why_no_steps(args)) return reason;
  const Network& network = *args.training.network;
  const auto layers = static_cast<std::int64_t>(network.layers().size());
  if (layers > most_fit_layers) {
    return fmt::format("{} layers; expected at most {}", layers, most_fit_layers);
  }
  const std::int64_t batch = std::min(args.batch, args.training.pairs.count);
  const std::int64_t rows = std::min(args.training.points, 2 * batch);
  const std::int64_t widest = network.greatest_width();
  const std::int64_t elements =
      (std::max({rows, batch, widest}) + panel_row_tile) * panel_stride<T>(widest + 1);
  if (elements >= most_elements) {
    return fmt::format("{} rows or weights of width {}; expected less than {} elements a matrix",
                       rows, widest, most_elements);
  }
  return std::nullopt;
}

template std::optional<std::string> why_no_fit(const FitArgs<float>&);
template std::optional<std::string> why_no_fit(const FitArgs<double>&);

}  // namespace siamese::cuda
