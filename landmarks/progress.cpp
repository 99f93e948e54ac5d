#include "landmarks/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace siamese::landmarks {

Progress::Progress(std::int64_t epochs)
    : epochs_(epochs), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (drawn_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, double loss) {
  if (terminal_) {
    draw_bar(done, loss);
    drawn_ = true;
    return;
  }
  const std::int64_t tenths = done * 10 / epochs_;
  if (tenths == tenths_told_) return;
  tenths_told_ = tenths;
  fmt::print(stderr, "epoch {} of {}: loss {:.6f}, {} left\n", done, epochs_, loss,
             time_left(done));
}

void Progress::draw_bar(std::int64_t done, double loss) const {
  constexpr std::int64_t width = 40;
  const auto filled = static_cast<std::size_t>(done * width / epochs_);
  std::string bar(filled, '#');
  bar.resize(width, '.');
  fmt::print(stderr, "\r[{}] {:3}%  epoch {} of {}  loss {:.6f}  {:>6} left ", bar,
             done * 100 / epochs_, done, epochs_, loss, time_left(done));
  std::fflush(stderr);
}

// A guess from the epochs so far.
std::string Progress::time_left(std::int64_t done) const {
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
  const double seconds =
      spent.count() / static_cast<double>(done) * static_cast<double>(epochs_ - done);
  if (seconds < 90.0) return fmt::format("{:.0f} s", seconds);
  if (seconds < 90.0 * 60.0) return fmt::format("{:.0f} min", seconds / 60.0);
  return fmt::format("{:.1f} h", seconds / 3600.0);
}

}  // namespace siamese::landmarks
