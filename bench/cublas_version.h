#pragma once

#include <string>

namespace siamese::bench {

/// Of the cuBLAS that this program calls, e.g. "13.1.0"; "none" in a build without CUDA.
std::string cublas_version();

}  // namespace siamese::bench
