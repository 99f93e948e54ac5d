#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string>
#include <vector>

#include "model/csv.h"

namespace siamese {

/// Where the golden files are: beside this header.
inline std::filesystem::path golden_folder() {
  return std::filesystem::path(__FILE__).parent_path();
}

/// The values that a golden CSV holds under the labels "NAME 0", "NAME 1", ..; none where it has no
/// such name, so that a test against them fails.
inline std::vector<double> golden_values(const std::string& file, const std::string& name) {
  const CsvTable table = read_csv(golden_folder() / file);
  std::vector<double> values;
  for (std::size_t r = 0; r < table.labels.size(); ++r) {
    if (table.labels[r] == fmt::format("{} {}", name, values.size())) {
      values.push_back(table.values(static_cast<std::int64_t>(r), 0));
    }
  }
  return values;
}

}  // namespace siamese
