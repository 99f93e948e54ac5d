#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "kernels/device.h"
#include "kernels/ops.h"
#include "kernels/variant.h"
#include "model/error.h"

namespace siamese::bench {

/// The variant of an op that results call "device_variant/precision". Throws UsageError that lists
/// what there is, and Failure with the reason where it cannot serve the shape or run here.
template <class Args>
const Variant<Args>& find_variant(std::string_view name, const Args& shape) {
  std::string names;
  for (const Variant<Args>& variant : variants<Args>()) {
    const std::string its_name = fmt::format("{}_{}/{}", siamese::name(variant.device),
                                             variant.name, siamese::name(variant.precision));
    if (its_name == name) {
      if (const auto reason = variant.why_unsupported(shape)) throw Failure(*reason);
      if (const auto reason = backend(variant.device).why_unavailable()) throw Failure(*reason);
      return variant;
    }
    names += (names.empty() ? "" : ", ") + its_name;
  }
  throw UsageError(
      fmt::format("'{}' is no variant of {}; expected one of: {}", name, op_name<Args>, names));
}

}  // namespace siamese::bench
