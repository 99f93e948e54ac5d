#pragma once

#include <optional>
#include <string>

#include "kernels/cpu/gemm.h"

// OpenBLAS, where the machine has it. Nothing is linked: the library is looked for when it is first
// asked for, so that the suite builds and runs without, and so that no thread of its is started in
// programs that do not use it.

namespace siamese {

/// Why products by OpenBLAS are not to be had here, in one line; nothing where they are.
std::optional<std::string> why_no_openblas();

/// Its version, options and the processor whose kernels it runs, as it tells them itself, or
/// why_no_openblas().
std::string describe_openblas();

/// Its product, for sizes below 2^31, on at most `threads` threads from now on. Throws Failure
/// where why_no_openblas() tells a reason.
template <class T>
GemmFunction<T> openblas_gemm(int threads);

}  // namespace siamese
