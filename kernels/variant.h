#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/device.h"

namespace siamese {

/// What a variant computes in. Memory holds float32, but for float64.
enum class Precision {
  float64,
  float32,  ///< strict: no tensor core, no narrower product
  tf32,     ///< products of 10-bit mantissas, float32 sums
  tf32x3,   ///< three TF32 products for one of nearly float32's accuracy
  bf16      ///< products of 8-bit mantissas, float32 sums
};

std::string_view name(Precision precision);

/// Puts a prepared operation on a stream: launches only, no allocation, no synchronisation. Rung 0
/// of the CPU allocates all the same: Eigen takes memory for what its expressions hold in between.
using Launch = std::function<void(Stream)>;

/// One way to compute an op.
template <class Args>
struct Variant {
  std::string name;  ///< what users type and results show, unique within op, device and precision
  Device device = Device::cpu;
  Precision precision = Precision::float32;
  int rung = 0;  ///< the place on the op's ladder: each rung mends what the one below wastes

  /// Why these shapes cannot be served, in one line; nothing where they can: shapes and, where
  /// there is a device, its limits. Never reads through a pointer.
  std::function<std::optional<std::string>(const Args&)> why_unsupported;

  /// Plans for these shapes and pointers: takes the workspace, opts in to what the kernels need.
  /// Any number of launches may be alive at once. The pointers in args and *args.network must
  /// outlive the launch.
  std::function<Launch(const Args&)> prepare;

  /// Whether equal inputs give equal bits from run to run (on the CPU: with equal thread counts).
  bool deterministic = true;
};

/// All variants of an op, in the order device, rung, precision, name. Tests check each, benchmarks
/// time each; there is no other list.
template <class Args>
const std::vector<Variant<Args>>& variants();

/// Adds a variant at start-up; one global of this type in the variant's own file registers it.
template <class Args>
class Register {
 public:
  explicit Register(Variant<Args> variant);
};

namespace detail {

template <class Args>
std::vector<Variant<Args>>& mutable_variants() {
  static std::vector<Variant<Args>> list;
  return list;
}

}  // namespace detail

template <class Args>
const std::vector<Variant<Args>>& variants() {
  return detail::mutable_variants<Args>();
}

template <class Args>
Register<Args>::Register(Variant<Args> variant) {
  const auto key = [](const Variant<Args>& v) {
    return std::tie(v.device, v.rung, v.precision, v.name);
  };
  auto& list = detail::mutable_variants<Args>();
  const auto place =
      std::upper_bound(list.begin(), list.end(), variant,
                       [&key](const auto& a, const auto& b) { return key(a) < key(b); });
  list.insert(place, std::move(variant));
}

}  // namespace siamese
