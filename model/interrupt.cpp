#include "model/interrupt.h"

#include <csignal>
#include <initializer_list>

namespace siamese {
namespace {

volatile std::sig_atomic_t noted = 0;

extern "C" void note_signal(int) { noted = 1; }

}  // namespace

void note_interrupts() {
  struct sigaction action {};
  action.sa_handler = note_signal;
  // The handler serves once; what the program was writing or reading goes on.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

bool interrupted() { return noted != 0; }

}  // namespace siamese
