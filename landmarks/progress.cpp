#include "landmarks/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace siamese::landmarks {
namespace {

// Of the terminal; the usual 80 where it does not tell.
std::int64_t columns() {
  winsize size{};
  const bool told = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return told ? size.ws_col : 80;
}

}  // namespace

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
  const std::string text = fmt::format(" {:3}%  epoch {} of {}  loss {:.6f}  {} left",
                                       done * 100 / epochs_, done, epochs_, loss, time_left(done));
  const std::int64_t most = columns() - 1;  // a line that fills its row goes on to the next
  const std::int64_t width =
      std::clamp<std::int64_t>(most - 2 - static_cast<std::int64_t>(text.size()), 10, 40);
  std::string bar(static_cast<std::size_t>(done * width / epochs_), '#');
  bar.resize(static_cast<std::size_t>(width), '.');
  const std::string line = fmt::format("[{}]{}", bar, text);
  constexpr const char* erase_rest = "\033[K";
  fmt::print(stderr, "\r{}{}", line.substr(0, static_cast<std::size_t>(most)), erase_rest);
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
