// Feeds arbitrary bytes to the fat-binary decoder: every outcome but a result or a FatbinError is a
// bug.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/vgpu/fatbin/fatbin.h"
#include "tests/vgpu/fatbin/lz4.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    for (const vgpu::FatbinEntry& entry : vgpu::fatbin_entries(bytes)) {
      if (entry.kind == vgpu::FatbinKind::ptx) vgpu::ptx_text(entry);
    }
  } catch (const vgpu::FatbinError&) {
  }
  if (size < 2) return 0;
  try {  // the first two bytes are the raw size, the others an LZ4 block
    vgpu::lz4_decode(bytes.subspan(2), static_cast<std::size_t>(data[0] | data[1] << 8));
  } catch (const vgpu::FatbinError&) {
  }
  return 0;
}
