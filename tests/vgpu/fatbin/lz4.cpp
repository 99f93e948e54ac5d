#include "tests/vgpu/fatbin/lz4.h"

#include <cstdint>

#include "tests/vgpu/fatbin/fatbin.h"

namespace vgpu {
namespace {

class Lz4Reader {
 public:
  explicit Lz4Reader(std::span<const std::byte> block) : block_(block) {}

  bool at_end() const { return position_ == block_.size(); }

  std::size_t byte() {
    if (at_end()) throw FatbinError("fat binary: LZ4 block ends too early");
    return std::to_integer<std::size_t>(block_[position_++]);
  }

  /// A length of which the token holds the first part: 15 means that bytes follow, of which each
  /// 255 means another.
  std::size_t length(std::size_t in_token) {
    std::size_t total = in_token;
    if (in_token == 15) {
      std::size_t more = 255;
      while (more == 255) {
        more = byte();
        total += more;
      }
    }
    return total;
  }

  void literals(std::size_t count, std::string& out) {
    if (count > block_.size() - position_)
      throw FatbinError("fat binary: LZ4 literals run past the block");
    out.append(reinterpret_cast<const char*>(block_.data() + position_), count);
    position_ += count;
  }

 private:
  std::span<const std::byte> block_;
  std::size_t position_ = 0;
};

}  // namespace

std::string lz4_decode(std::span<const std::byte> block, std::size_t raw_size) {
  constexpr std::size_t best_ratio =
      256;  // one byte of a match length stands for 255 bytes at most
  if (raw_size > block.size() * best_ratio)
    throw FatbinError("fat binary: LZ4 block is too short for its raw size");
  constexpr std::size_t minimum_match = 4;

  Lz4Reader reader(block);
  std::string out;
  out.reserve(raw_size);
  while (!reader.at_end()) {
    const std::size_t token = reader.byte();
    const std::size_t literal_count = reader.length(token >> 4);
    if (literal_count > raw_size - out.size())
      throw FatbinError("fat binary: LZ4 block exceeds its raw size");
    reader.literals(literal_count, out);
    if (reader.at_end()) break;  // the last sequence has no match

    std::size_t distance = reader.byte();
    distance |= reader.byte() << 8;
    if (distance == 0 || distance > out.size())
      throw FatbinError("fat binary: LZ4 match points before the text");
    const std::size_t match = reader.length(token & 15) + minimum_match;
    if (match > raw_size - out.size())
      throw FatbinError("fat binary: LZ4 block exceeds its raw size");
    for (std::size_t i = 0; i < match; ++i)
      out.push_back(out[out.size() - distance]);  // may overlap itself
  }
  if (out.size() != raw_size)
    throw FatbinError("fat binary: LZ4 block is shorter than its raw size");
  return out;
}

}  // namespace vgpu
