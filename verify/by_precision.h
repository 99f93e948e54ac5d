#pragma once

#include <map>

#include "kernels/variant.h"

namespace siamese::verify {

/// What is the same in every comparison of a precision, and takes as long as the reference to find
/// or longer. Not for several threads at once.
template <class Value>
class ByPrecision {
 public:
  /// What find() returned when the precision was first asked for.
  template <class Find>
  const Value& get(Precision precision, Find find) const {
    const auto found = values_.find(precision);
    return found != values_.end() ? found->second
                                  : values_.emplace(precision, find()).first->second;
  }
  void clear() { values_.clear(); }

 private:
  mutable std::map<Precision, Value> values_;
};

}  // namespace siamese::verify
