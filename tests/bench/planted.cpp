// siamese_bench with variants of adam that have a known fault or a known time.

#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include "bench/program.h"
#include "bench/timing.h"
#include "kernels/ops.h"
#include "kernels/variant.h"

namespace siamese {
namespace {

using Args = AdamArgs<float>;
using Fault = void (*)(const Args& args, int launch);

// The first variant of the CPU, with `fault` done after each of its launches, counted from 0.
void plant(const std::string& name, Fault fault) {
  Variant<Args> variant = variants<Args>().front();
  variant.name = name;
  variant.rung = 90;
  variant.prepare = [prepare = variant.prepare, fault](const Args& args) -> Launch {
    return [launch = prepare(args), args, fault, count = std::make_shared<int>(0)](Stream stream) {
      launch(stream);
      fault(args, (*count)++);
    };
  };
  const Register<Args> registered(variant);
}

void plant_all() {
  plant("wrong", [](const Args& args, int) { args.parameters[17] = -args.parameters[17]; });
  plant("nan", [](const Args& args, int) { args.v[args.count - 1] *= 0.0F / args.v[0] / 0.0F; });
  plant("tires", [](const Args& args, int launch) {
    if (launch > 3) args.m[0] += 1.0F;
  });
  plant("spins", [](const Args&, int) {
    const double end = bench::now() + 5e-3;
    while (bench::now() < end) {
    }
  });
  plant("killed",
        [](const Args&, int) { std::raise(SIGKILL); });  // as by the system, out of memory
  plant("wakes", [](const Args&, int launch) {
    if (launch == 0) std::this_thread::sleep_for(std::chrono::milliseconds(200));
  });
}

}  // namespace
}  // namespace siamese

int main(int argc, char** argv) {
  siamese::plant_all();
  return siamese::bench::run_program(argc, argv);
}
