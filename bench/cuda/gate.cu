#include "bench/cuda/gate.h"
#include "kernels/cuda/check.h"

namespace siamese::bench {
namespace {

constexpr std::uint64_t most_nanoseconds = 20'000'000;
constexpr std::uint64_t clock_nanoseconds = 50'000;

__device__ std::uint64_t nanoseconds() {
  std::uint64_t time;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(time));
  return time;
}

__global__ void wait_until(const volatile std::uint32_t* opened, std::uint32_t turn) {
  const std::uint64_t begin = nanoseconds();
  // Turns count around: the difference tells which is the later one.
  while (static_cast<std::int32_t>(*opened - turn) < 0) {
    if (nanoseconds() - begin > most_nanoseconds) break;
  }
}

__global__ void nothing() {}

__global__ void read_clock(double* hertz) {
  const std::uint64_t begin = nanoseconds();
  const long long begin_cycle = clock64();
  std::uint64_t passed = 0;
  while (passed < clock_nanoseconds) passed = nanoseconds() - begin;
  *hertz = 1e9 * static_cast<double>(clock64() - begin_cycle) / static_cast<double>(passed);
}

}  // namespace

Gate::Gate() {
  void* memory = nullptr;
  SIAMESE_CHECK_CUDA(cudaHostAlloc(&memory, sizeof(std::uint32_t), cudaHostAllocDefault));
  opened_ = static_cast<volatile std::uint32_t*>(memory);
  *opened_ = 0;
}

Gate::~Gate() { SIAMESE_REPORT_CUDA(cudaFreeHost(const_cast<std::uint32_t*>(opened_))); }

Gate::Closed::Closed(Gate& gate, cudaStream_t stream) : gate_(gate) {
  wait_until<<<1, 1, 0, stream>>>(gate_.opened_, ++gate_.turn_);
  SIAMESE_CHECK_LAUNCH("wait_until");
}

Gate::Closed::~Closed() { *gate_.opened_ = gate_.turn_; }

void launch_nothing(cudaStream_t stream) {
  nothing<<<1, 1, 0, stream>>>();
  SIAMESE_CHECK_LAUNCH("nothing");
}

void launch_read_clock(double* hertz, cudaStream_t stream) {
  read_clock<<<1, 1, 0, stream>>>(hertz);
  SIAMESE_CHECK_LAUNCH("read_clock");
}

}  // namespace siamese::bench
