#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace siamese::landmarks {

/// Tells on standard error how a training goes and how long it will take: a bar that redraws itself
/// on a terminal, else a line every tenth of the way.
class Progress {
 public:
  explicit Progress(std::int64_t epochs);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// `done` epochs are through, the last of them with this mean loss.
  void update(std::int64_t done, double loss);

 private:
  void draw_bar(std::int64_t done, double loss) const;
  std::string time_left(std::int64_t done) const;

  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::int64_t epochs_;
  bool terminal_;
  bool drawn_ = false;
  std::int64_t tenths_told_ = 0;
};

}  // namespace siamese::landmarks
