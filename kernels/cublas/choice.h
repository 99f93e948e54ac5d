#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace siamese::cublas {

/// How to find the best of some candidates, the likeliest first.
struct Trials {
  std::size_t candidates;
  std::function<bool(std::size_t)> runs;   ///< runs one; false where it is refused
  std::function<float(std::size_t)> time;  ///< of one that runs; empty where none is to be timed
};

/// The fastest of the candidates that run, each by its least time of a few rounds, for what
/// disturbs a measurement only lengthens it. Where none is to be timed, the first that runs.
inline std::optional<std::size_t> choose(const Trials& trials) {
  constexpr int rounds = 5;
  std::vector<std::pair<float, std::size_t>> able;  // its least time, and which it is
  for (std::size_t i = 0; i < trials.candidates; ++i) {
    if (!trials.runs(i)) continue;
    if (!trials.time) return i;
    able.emplace_back(std::numeric_limits<float>::infinity(), i);
  }
  // In turns, so that a clock that is still rising is not held against the first.
  for (int round = 0; round < rounds; ++round) {
    for (auto& [least, i] : able) least = std::min(least, trials.time(i));
  }
  if (able.empty()) return std::nullopt;
  return std::min_element(able.begin(), able.end())->second;
}

/// What has been found out, for the rest of the process: equal keys have one value.
template <class Key, class Value>
class Findings {
 public:
  /// Calls find() for a key that is new; one caller at a time.
  template <class Find>
  Value get(const Key& key, Find find) {
    const std::scoped_lock lock(mutex_);
    const auto known = values_.find(key);
    if (known != values_.end()) return known->second;
    return values_.emplace(key, find()).first->second;
  }

 private:
  std::mutex mutex_;
  std::map<Key, Value> values_;
};

}  // namespace siamese::cublas
