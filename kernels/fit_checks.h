#pragma once

#include <optional>
#include <string>

#include "kernels/ops.h"

namespace siamese {

/// What no variant of fit can do; nothing where the arguments are in order.
template <class T>
std::optional<std::string> why_no_steps(const FitArgs<T>& args) {
  if (args.batch < 1) return "batches of no pair: fit takes 1 or more a step";
  if (args.trainings < 1) return "no training: fit takes 1 or more at once";
  return std::nullopt;
}

}  // namespace siamese
