#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "cpu_ref/compare.h"
#include "kernels/device.h"
#include "kernels/variant.h"
#include "verify/problem.h"

namespace siamese::verify {

// A Problem has the host's inputs for one op at one shape and what the reference makes of them; it
// is made once and serves every variant. A Trial puts it on a device in a variant's scalar type.

/// Inputs and outputs of an op on a device, specialised for each op's arguments:
///   using Problem = ..;
///   Trial(const Problem& problem, Device device);   the problem must outlive the trial
///   const Args& args() const;                       what prepare takes
///   void reset();                                   inputs as given, outputs poisoned
///   std::vector<ref::Comparison> compare(Precision precision) const;
///   std::uint64_t fingerprint() const;              of every bit of the outputs
template <class Args>
class Trial;

/// A hash (FNV-1a, 64 bits) of all the bits of some arrays, to tell whether two runs left the same.
class Fingerprint {
 public:
  template <class T>
  Fingerprint& add(const std::vector<T>& values) {
    for (const std::byte byte : std::as_bytes(std::span(values))) {
      hash_ = (hash_ ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001B3U;
    }
    return *this;
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0xCBF29CE484222325U;
};

/// The arguments of an op at a shape, every pointer null: what Variant::why_unsupported reads.
/// `spec` must outlive them.
template <class Args>
Args shape_args(const ProblemSpec& spec);

/// The same numbers in another type.
template <class To, class From>
std::vector<To> cast(const std::vector<From>& values) {
  return std::vector<To>(values.begin(), values.end());
}

template <class T>
std::span<const T> elements(const ref::RowMatrix<T>& matrix) {
  return {matrix.data(), static_cast<std::size_t>(matrix.size())};
}

template <class T>
Buffer<T> upload(Device device, const ref::RowMatrix<double>& matrix) {
  return Buffer<T>(device, elements(ref::RowMatrix<T>(matrix.template cast<T>())));
}

template <class T>
Buffer<T> upload(Device device, const std::vector<double>& values) {
  return Buffer<T>(device, std::span<const T>(cast<T>(values)));
}

/// The pairs of a problem on a device.
template <class T>
class DevicePairs {
 public:
  DevicePairs(const ProblemSpec& spec, const PairTargets& given, Device device)
      : form_(spec.form),
        count_(spec.pairs),
        first_(device, std::span<const PointIndex>(given.list.first)),
        second_(device, std::span<const PointIndex>(given.list.second)),
        targets_(upload<T>(device, given.targets)),
        coordinates_(upload<T>(device, given.coordinates)),
        coordinate_width_(given.coordinates.cols()) {}

  Pairs<T> view() const {
    Pairs<T> pairs;
    pairs.form = form_;
    pairs.count = count_;
    if (form_ == PairForm::indexed) {
      pairs.first = first_.data();
      pairs.second = second_.data();
    }
    if (form_ == PairForm::all) {
      pairs.coordinates = coordinates_.data();
      pairs.coordinate_width = coordinate_width_;
    } else {
      pairs.targets = targets_.data();
    }
    return pairs;
  }

 private:
  PairForm form_;
  std::int64_t count_;
  Buffer<PointIndex> first_, second_;
  Buffer<T> targets_, coordinates_;
  std::int64_t coordinate_width_;
};

/// Runs a variant once on a trial from poisoned outputs and compares what it leaves.
template <class Args>
std::vector<ref::Comparison> run_and_compare(const Variant<Args>& variant, Trial<Args>& trial) {
  trial.reset();
  const Launch launch = variant.prepare(trial.args());
  launch(Stream{});
  backend(variant.device).synchronize(Stream{});
  return trial.compare(variant.precision);
}

}  // namespace siamese::verify
