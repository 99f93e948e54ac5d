// The project's own check of launches: one that is refused is told at its own line, and the good
// one after it is not blamed.
#include <string>

#include "kernels/cuda/check.h"
#include "model/error.h"
#include "tests/vgpu/programs/program.cuh"

__global__ void write_one(int* y) { *y = 1; }

int main() {
  DeviceArray<int> y(1);
  std::string told;
  unsigned line = 0;
  try {
    write_one<<<1, 1025>>>(y.data());
    line = std::source_location::current().line() + 1;
    SIAMESE_CHECK_LAUNCH("write_one");
  } catch (const siamese::Failure& error) {
    told = error.what();
  }
  const auto tells = [&](const std::string& what) { return told.find(what) != std::string::npos; };
  expect(tells("launch of write_one"), "the launch by its kernel's name");
  expect(tells("checked_launch.cu:" + std::to_string(line)), "the line of the check");
  expect(told.find('\n') == std::string::npos, "one line");

  write_one<<<1, 1>>>(y.data());
  SIAMESE_CHECK_LAUNCH("write_one");
  check(cudaDeviceSynchronize());
  expect(y.values().front() == 1, "the second launch to have run");
}
