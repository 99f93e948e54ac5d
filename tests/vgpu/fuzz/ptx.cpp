// Feeds arbitrary text to the PTX parser and, where it is PTX, to the compiler: every outcome but a
// module or a PtxError is a bug.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/vgpu/device.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static vgpu::Memory& memory = *new vgpu::Memory;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto module = vgpu::Module::load(memory, text, "fuzzed text");
    for (const std::string& name : module->kernel_names()) (void)module->find_kernel(name);
  } catch (const vgpu::PtxError&) {
  }
  return 0;
}
