#pragma once
// The fat binary: the container in which nvcc embeds device code in a host program. The layout was
// found by reading what nvcc 13.0 writes; only what is needed to reach the PTX is decoded. Input is
// never trusted: whatever the bytes are, the outcome is a result or a FatbinError.

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace vgpu {

/// What is wrong with a fat binary, in one line.
class FatbinError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

enum class FatbinKind { ptx, other };
enum class FatbinCompression { none, lz4, zstd };

/// One image of a fat binary: PTX, or something else (machine code) that is only counted.
struct FatbinEntry {
  FatbinKind kind = FatbinKind::other;
  int architecture = 0;                ///< 80 for sm_80
  bool architecture_specific = false;  ///< the "a" of sm_90a
  FatbinCompression compression = FatbinCompression::none;
  std::span<const std::byte> payload;  ///< as stored, inside the fat binary's own bytes
  std::uint64_t raw_size = 0;          ///< bytes after decompression; 0 where nothing is compressed
};

/// The entries of one fat binary, in order. `fatbin` begins at its header and may be longer than
/// the header says.
std::vector<FatbinEntry> fatbin_entries(std::span<const std::byte> fatbin);

/// The PTX text of an entry, decompressed, cut at its terminating NUL.
std::string ptx_text(const FatbinEntry& entry);

/// The PTX that fits a device best: the highest architecture up to `architecture`; at equal
/// architecture, the architecture-specific one. Architecture-specific code fits only its own
/// architecture. Throws where none fits, naming what there is.
std::string best_ptx(const std::vector<FatbinEntry>& entries, int architecture);

/// The PTX texts behind the wrapper that a host program passes to __cudaRegisterFatBinary: one for
/// ordinary code, one a source file for relocatable code, to be linked together. A fat binary
/// without any device code gives no text.
std::vector<std::string> ptx_of_wrapper(const void* wrapper, int architecture);

}  // namespace vgpu
