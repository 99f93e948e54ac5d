#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "kernels/ops.h"
#include "kernels/variant.h"

// What the files of this folder share in registering their variants. Included by nvcc, which does
// not get through fmt's headers; hence what formats text is in variant_parts.cpp.
namespace siamese::cuda {

/// What a strict kernel templated on its scalar computes in.
template <class T>
inline constexpr Precision precision_of =
    std::is_same_v<T, double> ? Precision::float64 : Precision::float32;

/// why_unsupported of a variant that serves every shape.
template <class Args>
std::optional<std::string> serves_all(const Args&) {
  return std::nullopt;
}

/// why_unsupported of distance_loss: every shape that has a target per pair.
template <class T>
std::optional<std::string> serves_lists(const DistanceLossArgs<T>& args) {
  if (args.pairs.form != PairForm::all) return std::nullopt;
  return "pairs of the form all have no list of targets; all_pairs_loss serves them";
}

/// Why a block cannot keep rows of embeddings so wide that it needs `bytes` of shared memory.
std::optional<std::string> why_too_wide(std::int64_t width, std::int64_t bytes);

/// why_unsupported of distance_loss for blocks that need `bytes` of shared memory.
template <class T>
std::optional<std::string> serves_lists_within(const DistanceLossArgs<T>& args,
                                               std::int64_t bytes) {
  if (auto reason = serves_lists(args)) return reason;
  return why_too_wide(args.width, bytes);
}

/// Throws UsageError where dense pairs do not have two points each.
void check_counts(PairForm form, std::int64_t points, std::int64_t pairs);

/// "WHAT:COUNT", and "points:30/pairs:128", of several trainings with "/trainings:5" behind.
std::string shape_text(std::string_view what, std::int64_t count);
std::string shape_text(std::int64_t points, std::int64_t pairs, std::int64_t trainings = 1);

/// A shape as profiles show it.
template <class Args>
std::string shape_name(const Args& args) {
  if constexpr (requires { args.pairs; }) return shape_text(args.points, args.pairs.count);
  return shape_text("points", args.points);
}
template <class T>
std::string shape_name(const AdamArgs<T>& args) {
  return shape_text("parameters", args.count);
}
template <class T>
std::string shape_name(const FitArgs<T>& args) {
  return shape_text(args.training.points, args.training.pairs.count, args.trainings);
}

/// `launch` inside an NVTX range op/variant/precision/shape, which profilers show on their time
/// line.
Launch traced(std::string_view op, std::string_view variant, Precision precision,
              const std::string& shape, Launch launch);

template <class Args>
Launch traced(const Args& args, std::string_view variant, Precision precision, Launch launch) {
  return traced(op_name<Args>, variant, precision, shape_name(args), std::move(launch));
}

}  // namespace siamese::cuda
