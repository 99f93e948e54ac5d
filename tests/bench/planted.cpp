// siamese_bench with variants of adam and pair_forward that have a known fault or a known time.

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "bench/program.h"
#include "bench/timing.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese {
namespace {

template <class Args>
using Fault = void (*)(const Args& args, int launch);

// The first variant of the CPU, with `fault` done after each of its launches, counted from 0. It
// does its work in each `working`-th launch alone.
template <class Args>
void plant(const std::string& name, Fault<Args> fault, int working = 1) {
  Variant<Args> variant = variants<Args>().front();
  variant.name = name;
  variant.rung = 90;
  variant.prepare = [prepare = variant.prepare, fault, working](const Args& args) -> Launch {
    return [launch = prepare(args), args, fault, working,
            count = std::make_shared<int>(0)](Stream stream) {
      if (*count % working == 0) launch(stream);
      fault(args, (*count)++);
    };
  };
  const Register<Args> registered(variant);
}

void spin(double seconds) {
  const double end = bench::now() + seconds;
  while (bench::now() < end) {
  }
}

void sleep_seconds(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

void plant_all() {
  using Args = AdamArgs<float>;
  plant<Args>("wrong", [](const Args& args, int) { args.parameters[17] = -args.parameters[17]; });
  plant<Args>("nan",
              [](const Args& args, int) { args.v[args.count - 1] *= 0.0F / args.v[0] / 0.0F; });
  plant<Args>("tires", [](const Args& args, int launch) {
    if (launch > 3) args.m[0] += 1.0F;
  });
  plant<Args>("spins", [](const Args&, int) {
    static const char* const milliseconds = std::getenv("SIAMESE_PLANTED_SPIN_MS");
    spin(milliseconds == nullptr ? 5e-3 : 1e-3 * std::atof(milliseconds));
  });
  plant<Args>("killed",
              [](const Args&, int) { std::raise(SIGKILL); });  // as by the system, out of memory
  plant<Args>("wakes", [](const Args&, int launch) {
    if (launch == 0) sleep_seconds(0.2);
  });
  plant<Args>("sleeps", [](const Args&, int) {
    if (const char* const log = std::getenv("SIAMESE_PLANTED_LOG")) {
      std::ofstream(log, std::ios::app) << "a launch\n";
    }
    sleep_seconds(0.9);
  });
  plant<Args>("hangs", [](const Args&, int) {
    std::fputs("hanging\n", stderr);  // for who waits for it
    sleep_seconds(100.0);
  });
  plant<PairForwardArgs<float>>(
      "rests", [](const PairForwardArgs<float>&, int) {}, 7);
}

}  // namespace
}  // namespace siamese

int main(int argc, char** argv) {
  siamese::plant_all();
  return siamese::bench::run_program(argc, argv);
}
