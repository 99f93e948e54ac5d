#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vgpu {

// What a check can find. Each kind is counted and limited by itself, so that none hides another.
enum class ReportKind {
  out_of_bounds,
  misaligned,
  use_after_free,
  uninitialised,
  shared_race,
  warp_race,
  global_race,
  missing_proxy_fence,
  divergent_barrier,
  absent_lane,
  deadlock,
  assertion,
  trap,
  host_access,  // the runtime's: bad pointers and double frees in calls
  unwaited,     // work that the program submitted
  leak,
};
inline constexpr int kReportKinds = static_cast<int>(ReportKind::leak) + 1;

[[nodiscard]] std::string_view name(ReportKind kind);

// Gathers reports from all threads. The first `limit` of a kind are printed, all are counted; the
// same kind at the same place (kernel and source line) is printed once.
class Reports {
 public:
  using Output = std::function<void(std::string_view)>;

  // Prints to standard error unless `output` is given. One call a report, without a final newline.
  explicit Reports(std::int64_t limit = 20, Output output = {});

  // `place` tells repeated reports apart; an empty one never repeats.
  void add(ReportKind kind, std::string_view message, std::string_view place = {});

  [[nodiscard]] std::int64_t count(ReportKind kind) const;
  [[nodiscard]] std::int64_t total() const;
  // "12 out-of-bounds, 1 leak", or empty when nothing was found.
  [[nodiscard]] std::string summary() const;

 private:
  const std::int64_t limit_;
  const Output output_;
  mutable std::mutex mutex_;
  std::array<std::int64_t, kReportKinds> counts_{};
  std::array<std::int64_t, kReportKinds> printed_{};
  std::array<std::vector<std::string>, kReportKinds> places_;
};

}  // namespace vgpu
