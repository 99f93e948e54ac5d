#include "tests/vgpu/check/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "tests/vgpu/check/names.h"

namespace vgpu {

std::string_view name(ReportKind kind) {
  constexpr std::string_view names[kReportKinds] = {
      "out of bounds",
      "misaligned access",
      "use after free",
      "uninitialised read",
      "shared race",
      "race inside a warp",
      "global race",
      "missing proxy fence",
      "divergent barrier",
      "absent lane",
      "deadlock",
      "assertion",
      "trap",
      "host access",
      "unwaited work",
      "leak",
  };
  return names[static_cast<int>(kind)];
}

Reports::Reports(std::int64_t limit, Output output)
    : limit_(limit), output_(output ? std::move(output) : [](std::string_view text) {
        fmt::print(stderr, "vgpu: {}\n", text);
      }) {}

void Reports::add(ReportKind kind, std::string_view message, std::string_view place) {
  const auto k = static_cast<std::size_t>(kind);
  const std::lock_guard lock(mutex_);
  ++counts_[k];
  if (!place.empty()) {
    auto& places = places_[k];
    if (std::find(places.begin(), places.end(), place) != places.end()) return;
    places.emplace_back(place);
  }
  if (printed_[k] < limit_) {
    output_(fmt::format("{}: {}", name(kind), in_cpp(message)));
  } else if (printed_[k] == limit_) {
    output_(fmt::format("{}: more than {} reports, the rest is only counted", name(kind), limit_));
  }
  ++printed_[k];
}

std::int64_t Reports::count(ReportKind kind) const {
  const std::lock_guard lock(mutex_);
  return counts_[static_cast<std::size_t>(kind)];
}

std::int64_t Reports::total() const {
  const std::lock_guard lock(mutex_);
  return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0});
}

std::string Reports::summary() const {
  const std::lock_guard lock(mutex_);
  std::string text;
  for (int k = 0; k < kReportKinds; ++k) {
    const std::int64_t count = counts_[static_cast<std::size_t>(k)];
    if (count == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, name(ReportKind{k}));
  }
  return text;
}

}  // namespace vgpu
