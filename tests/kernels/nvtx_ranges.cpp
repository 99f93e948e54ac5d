// A tool of NVTX's, linked into the program: NVTX finds InitializeInjectionNvtx2_fnptr where it
// would load a profiler's library, unless NVTX_INJECTION64_PATH names one.

#include "tests/kernels/nvtx_ranges.h"

#include <cstdint>

// NVTX's headers refer to it, where they do not define it themselves.
extern "C" {
extern int (*InitializeInjectionNvtx2_fnptr)(const void* (*)(std::uint32_t));
}
#define NVTX_STATIC_INJECTION_IMPL
#include <nvtx3/nvToolsExt.h>

#include <fmt/format.h>

#include <cstdlib>
#include <utility>

namespace siamese {
namespace {

struct Ranges {
  std::vector<std::string> outermost;
  int open = 0;
};

Ranges& ranges() {
  static Ranges seen;
  return seen;
}

int NVTX_API push(const char* name) {
  Ranges& seen = ranges();
  if (seen.open == 0) seen.outermost.emplace_back(name);
  return seen.open++;
}

int NVTX_API pop() { return --ranges().open; }

int NVTX_API attach(NvtxGetExportTableFunc_t get_table) {
  const auto* const callbacks =
      static_cast<const NvtxExportTableCallbacks*>(get_table(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable functions = nullptr;
  unsigned count = 0;
  if (callbacks == nullptr ||
      callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &functions, &count) == 0 ||
      count <= NVTX_CBID_CORE_RangePop) {
    return 0;
  }
  *functions[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(push);
  *functions[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(pop);
  return 1;
}

}  // namespace

std::optional<std::vector<std::string>> take_nvtx_ranges() {
  if (std::getenv("NVTX_INJECTION64_PATH") != nullptr) return std::nullopt;
  Ranges seen = std::exchange(ranges(), {});
  if (seen.open != 0) seen.outermost.push_back(fmt::format("({} left open)", seen.open));
  return std::move(seen.outermost);
}

}  // namespace siamese

int (*InitializeInjectionNvtx2_fnptr)(const void* (*)(std::uint32_t)) = siamese::attach;
