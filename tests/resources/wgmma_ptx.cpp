// Whether kernels on warpgroups multiply with wgmma, and their twins without: they give the same
// results, so that no other test can tell one from the other.
//
//     wgmma_ptx OBJECT...
//
// Exit code 1 where a kernel is not what its name says, or where an object file lacks kernels of
// either kind.

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/vgpu/fatbin/fatbin.h"

namespace {

// Of a kernel's template argument, as compilers mangle it: the length of the name first.
constexpr std::string_view original = "5Wgmma";
constexpr std::string_view twin = "9WgmmaTwin";

struct Counts {
  int originals = 0;
  int twins = 0;
  int wrong = 0;
};

// The kernels of a PTX module; what stands before a kernel's ".entry" is another's.
void count_kernels(std::string_view ptx, Counts& counts) {
  constexpr std::string_view entry = ".entry ";
  for (std::size_t at = ptx.find(entry); at != std::string_view::npos;) {
    const std::size_t next = ptx.find(entry, at + 1);
    const std::string_view kernel = ptx.substr(at, next - at);
    const std::string_view name = kernel.substr(entry.size(), kernel.find('(') - entry.size());
    const bool is_twin = name.find(twin) != std::string_view::npos;
    if (is_twin || name.find(original) != std::string_view::npos) {
      ++(is_twin ? counts.twins : counts.originals);
      const bool has_wgmma = kernel.find("wgmma.mma_async") != std::string_view::npos;
      if (has_wgmma == is_twin) {
        ++counts.wrong;
        fmt::print("{}: {} wgmma.mma_async\n", name, has_wgmma ? "has" : "has no");
      }
    }
    at = next;
  }
}

std::vector<char> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Counts kernels_of(const char* path) {
  constexpr std::array<unsigned char, 4> magic{0x50, 0xed, 0x55, 0xba};  // of a fat binary
  const std::vector<char> bytes = read_file(path);
  Counts counts;
  for (std::size_t at = 0; at + magic.size() <= bytes.size(); at += 8) {
    if (std::memcmp(bytes.data() + at, magic.data(), magic.size()) != 0) continue;
    for (const vgpu::FatbinEntry& entry :
         vgpu::fatbin_entries(std::as_bytes(std::span(bytes).subspan(at)))) {
      // Only code for one architecture alone can have wgmma.
      if (entry.kind == vgpu::FatbinKind::ptx && entry.architecture_specific) {
        count_kernels(vgpu::ptx_text(entry), counts);
      }
    }
  }
  return counts;
}

}  // namespace

int main(int argc, char** argv) {
  bool ok = argc > 1;
  for (int i = 1; i < argc; ++i) {
    const Counts counts = kernels_of(argv[i]);
    fmt::print("{}: {} kernels with wgmma, {} twins, {} wrong\n", argv[i], counts.originals,
               counts.twins, counts.wrong);
    ok = ok && counts.originals > 0 && counts.twins > 0 && counts.wrong == 0;
  }
  return ok ? 0 : 1;
}
