#include "tests/vgpu/fatbin/fatbin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tests/vgpu/fatbin/lz4.h"

namespace vgpu {
namespace {

constexpr std::uint32_t kWrapperMagic = 0x466243b1;
constexpr std::uint32_t kFatbinMagic = 0xba55ed50;

/// What __cudaRegisterFatBinary is given.
struct Wrapper {
  std::uint32_t magic;
  std::uint32_t version;  // 1: `fatbin` counts; 2 (relocatable code): `fatbins` does
  const void* fatbin;
  const void* const* fatbins;  // ends with a null pointer
};

struct FatbinHeader {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint16_t header_size;  // bytes from the header's begin to the first entry
  std::uint64_t size;         // bytes of all entries
};
static_assert(sizeof(FatbinHeader) == 16);

struct EntryHeader {
  std::uint16_t kind;
  std::uint16_t version;
  std::uint32_t header_size;
  std::uint64_t payload_size;  // padded
  std::uint32_t compressed_size;
  std::uint32_t unknown[2];
  std::uint32_t architecture;
  std::uint32_t more_unknown[2];
  std::uint64_t flags;
  std::uint64_t yet_more_unknown;
  std::uint64_t raw_size;
};
static_assert(sizeof(EntryHeader) == 64);

constexpr std::uint16_t kKindPtx = 1;
constexpr std::uint64_t kFlagLz4 = 0x2000;
constexpr std::uint64_t kFlagZstd = 0x8000;
constexpr std::uint64_t kFlagArchitectureSpecific = 0x100000;

template <typename Header>
Header read_header(std::span<const std::byte> bytes, const char* what) {
  if (bytes.size() < sizeof(Header))
    throw FatbinError(fmt::format("fat binary: truncated {}", what));
  Header header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

FatbinHeader checked_header(std::span<const std::byte> bytes) {
  const auto header = read_header<FatbinHeader>(bytes, "header");
  if (header.magic != kFatbinMagic) {
    throw FatbinError(
        fmt::format("fat binary: magic number {:#x}, expected {:#x}", header.magic, kFatbinMagic));
  }
  if (header.header_size < sizeof(FatbinHeader)) {
    throw FatbinError(fmt::format("fat binary: header of {} bytes, expected {}", header.header_size,
                                  sizeof(FatbinHeader)));
  }
  return header;
}

FatbinCompression compression_of(std::uint64_t flags) {
  if ((flags & kFlagZstd) != 0) return FatbinCompression::zstd;
  if ((flags & kFlagLz4) != 0) return FatbinCompression::lz4;
  return FatbinCompression::none;
}

std::string architecture_name(const FatbinEntry& entry) {
  return fmt::format("sm_{}{}", entry.architecture, entry.architecture_specific ? "a" : "");
}

/// The bytes of a fat binary in memory that its program vouches for.
std::span<const std::byte> fatbin_bytes(const void* fatbin) {
  const auto* bytes = static_cast<const std::byte*>(fatbin);
  const FatbinHeader header = checked_header({bytes, sizeof(FatbinHeader)});
  return {bytes, header.header_size + header.size};
}

}  // namespace

std::vector<FatbinEntry> fatbin_entries(std::span<const std::byte> fatbin) {
  const FatbinHeader header = checked_header(fatbin);
  if (header.header_size > fatbin.size() || header.size > fatbin.size() - header.header_size) {
    throw FatbinError(
        fmt::format("fat binary: {} bytes announced, {} present", header.size, fatbin.size()));
  }
  std::span<const std::byte> rest = fatbin.subspan(header.header_size, header.size);
  std::vector<FatbinEntry> entries;
  while (!rest.empty()) {
    const auto entry_header = read_header<EntryHeader>(rest, "entry header");
    if (entry_header.header_size < sizeof(EntryHeader) || entry_header.header_size > rest.size() ||
        entry_header.payload_size > rest.size() - entry_header.header_size) {
      throw FatbinError(fmt::format("fat binary: entry {} runs past the end", entries.size()));
    }
    FatbinEntry entry;
    entry.kind = entry_header.kind == kKindPtx ? FatbinKind::ptx : FatbinKind::other;
    entry.architecture = static_cast<int>(entry_header.architecture & 0xffff);
    entry.architecture_specific = (entry_header.flags & kFlagArchitectureSpecific) != 0;
    entry.compression = compression_of(entry_header.flags);
    entry.payload = rest.subspan(entry_header.header_size, entry_header.payload_size);
    if (entry.compression != FatbinCompression::none) {
      if (entry_header.compressed_size > entry.payload.size()) {
        throw FatbinError(
            fmt::format("fat binary: compressed entry {} runs past its payload", entries.size()));
      }
      entry.payload = entry.payload.first(entry_header.compressed_size);
      entry.raw_size = entry_header.raw_size;
    }
    entries.push_back(entry);
    rest = rest.subspan(entry_header.header_size + entry_header.payload_size);
  }
  return entries;
}

std::string ptx_text(const FatbinEntry& entry) {
  std::string text;
  switch (entry.compression) {
    case FatbinCompression::none:
      text.assign(reinterpret_cast<const char*>(entry.payload.data()), entry.payload.size());
      break;
    case FatbinCompression::lz4:
      text = lz4_decode(entry.payload, entry.raw_size);
      break;
    case FatbinCompression::zstd:
      throw FatbinError(
          "fat binary: device code is compressed with zstd; compile with nvcc "
          "--compress-mode=none");
  }
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

std::string best_ptx(const std::vector<FatbinEntry>& entries, int architecture) {
  const FatbinEntry* best = nullptr;
  std::string found;
  for (const FatbinEntry& entry : entries) {
    if (entry.kind != FatbinKind::ptx) continue;
    found += fmt::format(" {}", architecture_name(entry));
    const bool fits = entry.architecture_specific ? entry.architecture == architecture
                                                  : entry.architecture <= architecture;
    if (!fits) continue;
    const bool better = best == nullptr || entry.architecture > best->architecture ||
                        (entry.architecture == best->architecture && entry.architecture_specific);
    if (better) best = &entry;
  }
  if (best == nullptr) {
    throw FatbinError(fmt::format("fat binary: no PTX that runs on sm_{}; PTX found:{}",
                                  architecture, found.empty() ? " none" : found));
  }
  return ptx_text(*best);
}

std::vector<std::string> ptx_of_wrapper(const void* wrapper_address, int architecture) {
  Wrapper wrapper;
  std::memcpy(&wrapper, wrapper_address, sizeof wrapper);
  if (wrapper.magic != kWrapperMagic) {
    throw FatbinError(fmt::format("fat binary wrapper: magic number {:#x}, expected {:#x}",
                                  wrapper.magic, kWrapperMagic));
  }
  std::vector<const void*> fatbins;
  if (wrapper.version == 1) {
    fatbins.push_back(wrapper.fatbin);
  } else if (wrapper.version == 2) {
    for (const void* const* next = wrapper.fatbins; *next != nullptr; ++next)
      fatbins.push_back(*next);
  } else {
    throw FatbinError(
        fmt::format("fat binary wrapper: version {}, expected 1 or 2", wrapper.version));
  }
  std::vector<std::string> texts;
  for (const void* fatbin : fatbins) {
    const std::vector<FatbinEntry> entries = fatbin_entries(fatbin_bytes(fatbin));
    if (!entries.empty()) texts.push_back(best_ptx(entries, architecture));
  }
  return texts;
}

}  // namespace vgpu
