#include "kernels/cpu/isa.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "model/error.h"

namespace siamese {
namespace {

Isa choose() {
  const std::vector<Isa> isas = runnable_isas();
  const char* const wanted = std::getenv("SIAMESE_ISA");
  if (wanted == nullptr || *wanted == '\0') return isas.back();
  std::string names;
  for (const Isa isa : isas) {
    if (name(isa) == wanted) return isa;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name(isa));
  }
  throw UsageError(fmt::format(
      "SIAMESE_ISA: '{}'; expected what this build and processor can run: {}", wanted, names));
}

}  // namespace

std::string_view name(Isa isa) {
  switch (isa) {
    case Isa::sse2:
      return "sse2";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::neon:
      return "neon";
  }
  throw UsageError("unknown instruction set");
}

std::vector<Isa> runnable_isas() {
#ifdef __x86_64__
  std::vector<Isa> isas{Isa::sse2};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isas.push_back(Isa::avx2);
  if (isas.size() == 2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
    isas.push_back(Isa::avx512);
  }
  return isas;
#else
  return {Isa::neon};
#endif
}

Isa chosen_isa() {
  static const Isa chosen = choose();
  return chosen;
}

}  // namespace siamese
