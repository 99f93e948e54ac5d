#pragma once

#include <string_view>
#include <vector>

namespace siamese {

/// The vector instructions that a build of kernels/cpu/simd/ uses. Each is compiled from the same
/// sources; the one that runs is chosen at run time, so that one program serves every machine.
enum class Isa {
  sse2,    ///< x86-64, 16-byte vectors, no fused multiply-add
  avx2,    ///< x86-64, 32-byte vectors with FMA
  avx512,  ///< x86-64, 64-byte vectors: AVX-512 F, VL, DQ and BW
  neon     ///< AArch64, 16-byte vectors
};

std::string_view name(Isa isa);

/// The instruction sets that are built in and that this processor and system can run, narrowest
/// first; never empty.
std::vector<Isa> runnable_isas();

/// The instruction set that the CPU kernels run: the one that the environment variable SIAMESE_ISA
/// names, else the widest that can run. Read once. Throws UsageError where SIAMESE_ISA names none
/// that can run here.
Isa chosen_isa();

}  // namespace siamese
