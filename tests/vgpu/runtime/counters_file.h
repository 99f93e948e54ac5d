#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/vgpu/device.h"

namespace vgpu {

// The counters of every launch, in the order of execution, as one JSON array. Written at exit.
class CountersFile {
 public:
  // An empty path: nothing is wanted.
  explicit CountersFile(std::string path) : path_(std::move(path)) {}

  bool wanted() const { return !path_.empty(); }
  void add(const Launch& launch, const Counters& counters);
  // Writes the file, whole or not at all. False, with a line on standard error, where that fails.
  bool write() const;

 private:
  std::string path_;
  std::vector<std::string> launches_;  // a JSON object each
};

}  // namespace vgpu
