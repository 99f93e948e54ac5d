#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"

namespace siamese::bench {

/// How results call a variant of an op: "device_variant/precision".
template <class Args>
std::string variant_name(const Variant<Args>& variant) {
  return fmt::format("{}_{}/{}", siamese::name(variant.device), variant.name,
                     siamese::name(variant.precision));
}

/// The variant of an op that results call so. Throws UsageError that lists what there is, and
/// Failure with the reason where it cannot serve the shape or run here.
template <class Args>
const Variant<Args>& find_variant(std::string_view name, const Args& shape) {
  std::string names;
  for (const Variant<Args>& variant : variants<Args>()) {
    if (variant_name(variant) == name) {
      if (const auto reason = variant.why_unsupported(shape)) throw Failure(*reason);
      if (const auto reason = backend(variant.device).why_unavailable()) throw Failure(*reason);
      return variant;
    }
    names += (names.empty() ? "" : ", ") + variant_name(variant);
  }
  throw UsageError(
      fmt::format("'{}' is no variant of {}; expected one of: {}", name, op_name<Args>, names));
}

}  // namespace siamese::bench
