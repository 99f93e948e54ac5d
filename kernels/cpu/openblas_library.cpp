#include "kernels/cpu/openblas_library.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <type_traits>

#include "kernels/cpu/isa.h"
#include "model/error.h"

namespace siamese {
namespace {

constexpr const char* library_name = "libopenblas.so.0";

// The CBLAS interface with 32-bit sizes (netlib.org/blas/#_cblas), as its header numbers the
// orders.
constexpr int row_major = 101;
constexpr int plain = 111;
constexpr int transposed = 112;
template <class T>
using CblasGemm = void (*)(int order, int a_is, int b_is, int rows, int columns, int depth, T alpha,
                           const T* a, int a_stride, const T* b, int b_stride, T beta, T* c,
                           int c_stride);

struct OpenBlas {
  std::string reason;  // why it cannot be used; empty where it can
  CblasGemm<float> sgemm = nullptr;
  CblasGemm<double> dgemm = nullptr;
  void (*set_threads)(int) = nullptr;
  char* (*config)() = nullptr;
};

// OpenBLAS knows processors by their numbers, and runs old kernels on those that came after it: its
// choice is made here by what the processor can do, unless the user has made it.
const char* core_type(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return "SkylakeX";
    case Isa::avx2:
      return "Haswell";
    case Isa::sse2:
      return "Prescott";
    case Isa::neon:
      return nullptr;
  }
  return nullptr;
}

OpenBlas load() {
  OpenBlas blas;
  if (const char* const type = core_type(chosen_isa())) setenv("OPENBLAS_CORETYPE", type, 0);
  void* const library = dlopen(library_name, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    blas.reason = fmt::format(
        "OpenBLAS: {} is not installed; on Debian and Ubuntu the package "
        "libopenblas0-openmp has it",
        library_name);
    return blas;
  }
  const auto find = [&](const char* name, auto& function) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function == nullptr)
      blas.reason = fmt::format("OpenBLAS: {} has no {}", library_name, name);
  };
  find("cblas_sgemm", blas.sgemm);
  find("cblas_dgemm", blas.dgemm);
  find("openblas_set_num_threads", blas.set_threads);
  find("openblas_get_config", blas.config);
  return blas;
}

const OpenBlas& openblas() {
  static const OpenBlas blas = load();
  return blas;
}

template <class T>
void gemm(const Gemm<T>& g) {
  const CblasGemm<T> function = [] {
    if constexpr (sizeof(T) == sizeof(float)) {
      return openblas().sgemm;
    } else {
      return openblas().dgemm;
    }
  }();
  const auto size = [](std::int64_t n) { return static_cast<int>(n); };
  const auto stride = [](std::int64_t n) { return static_cast<int>(std::max<std::int64_t>(n, 1)); };
  function(row_major, g.a_transposed ? transposed : plain, g.b_transposed ? transposed : plain,
           size(g.rows), size(g.columns), size(g.depth), T(1), g.a,
           stride(g.a_transposed ? g.rows : g.depth), g.b,
           stride(g.b_transposed ? g.depth : g.columns), T(0), g.c, stride(g.columns));
}

}  // namespace

std::optional<std::string> why_no_openblas() {
  if (openblas().reason.empty()) return std::nullopt;
  return openblas().reason;
}

std::string describe_openblas() {
  const OpenBlas& blas = openblas();
  return blas.reason.empty() ? blas.config() : blas.reason;
}

template <class T>
GemmFunction<T> openblas_gemm(int threads) {
  if (const auto reason = why_no_openblas()) throw Failure(*reason);
  openblas().set_threads(threads);
  return gemm<T>;
}

template GemmFunction<float> openblas_gemm(int threads);
template GemmFunction<double> openblas_gemm(int threads);

}  // namespace siamese
