#include "bench/simd/probe.h"

namespace siamese::bench {
namespace {

#if defined(__AVX512F__)
constexpr int vector_bytes = 64;
#elif defined(__AVX__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif

template <class T>
struct Vector {
  typedef T type __attribute__((vector_size(vector_bytes)));
  static constexpr std::int64_t lanes = vector_bytes / static_cast<std::int64_t>(sizeof(T));
};

// Enough chains to cover the latency of two multiply-adds a cycle, few enough for 16 registers.
constexpr int chains = 12;

template <class T>
double multiply_add(std::int64_t rounds) {
  using V = typename Vector<T>::type;
  // Volatile, for a compiler that knew them would leave out the chain that begins at 2 and stays
  // there.
  const volatile T half = T(0.5);
  const volatile T one = T(1);
  const V a = V{} + half;
  const V b = V{} + one;
  V c[chains];
  for (int k = 0; k < chains; ++k) c[k] = V{} + static_cast<T>(k);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int k = 0; k < chains; ++k) c[k] = c[k] * a + b;
  }
  V sum{};
  for (int k = 0; k < chains; ++k) sum += c[k];
  double total = 0.0;
  for (int lane = 0; lane < Vector<T>::lanes; ++lane) total += static_cast<double>(sum[lane]);
  return total;
}

template <class T>
constexpr double operations_per_round = 2.0 * chains* static_cast<double>(Vector<T>::lanes);

using V = Vector<double>::type;
constexpr std::int64_t lanes = Vector<double>::lanes;
constexpr int streams = 8;  // 64 numbers in the widest vectors

double read(const double* x, std::int64_t count) {
  V sums[streams] = {};
  for (std::int64_t i = 0; i < count; i += streams * lanes) {
#pragma GCC unroll 8
    for (int k = 0; k < streams; ++k) sums[k] += *reinterpret_cast<const V*>(x + i + k * lanes);
  }
  V sum{};
  for (int k = 0; k < streams; ++k) sum += sums[k];
  double total = 0.0;
  for (int lane = 0; lane < lanes; ++lane) total += sum[lane];
  return total;
}

void update(double* x, std::int64_t count) {
  const V one = V{} + 1.0;
  for (std::int64_t i = 0; i < count; i += streams * lanes) {
#pragma GCC unroll 8
    for (int k = 0; k < streams; ++k) *reinterpret_cast<V*>(x + i + k * lanes) += one;
  }
}

}  // namespace

template <>
ProbeLoops probe_loops<Isa::SIAMESE_ISA>() {
  return {multiply_add<float>,
          operations_per_round<float>,
          multiply_add<double>,
          operations_per_round<double>,
          read,
          update};
}

}  // namespace siamese::bench
