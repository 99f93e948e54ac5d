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
  fmt::print(stderr, "epoch {} of {}: loss {:.6f}\n", done, epochs_, loss);
}

void Progress::draw_bar(std::int64_t done, double loss) const {
  constexpr std::int64_t width = 40;
  const auto filled = static_cast<std::size_t>(done * width / epochs_);
  std::string bar(filled, '#');
  bar.resize(width, '.');
  fmt::print(stderr, "\r[{}] {:3}%  epoch {} of {}  loss {:.6f} ", bar, done * 100 / epochs_, done,
             epochs_, loss);
  std::fflush(stderr);
}

}  // namespace siamese::landmarks
