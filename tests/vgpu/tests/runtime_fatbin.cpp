#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/vgpu/fatbin/fatbin.h"
#include "tests/vgpu/fatbin/lz4.h"

namespace vgpu {
namespace {

constexpr std::uint64_t kLz4 = 0x2000;
constexpr std::uint64_t kZstd = 0x8000;
constexpr std::uint64_t kSpecific = 0x100000;

// A fat binary as nvcc lays it out.
class FatbinBuilder {
 public:
  FatbinBuilder() : bytes_(16) {}

  FatbinBuilder& add(std::uint16_t kind, std::uint32_t architecture, std::uint64_t flags,
                     const std::string& stored, std::uint64_t raw_size = 0) {
    constexpr std::uint32_t header_size = 72;  // more than is known: readers must use it
    std::vector<std::byte> entry(header_size);
    const std::uint64_t padded = (stored.size() + 8) / 8 * 8;
    put(entry, 0, kind);
    put(entry, 4, header_size);
    put(entry, 8, padded);
    put(entry, 16, static_cast<std::uint32_t>(stored.size()));
    put(entry, 28, architecture);
    put(entry, 40, flags);
    put(entry, 56, raw_size);
    entry.resize(header_size + padded);
    std::memcpy(entry.data() + header_size, stored.data(), stored.size());
    bytes_.insert(bytes_.end(), entry.begin(), entry.end());
    return *this;
  }

  std::vector<std::byte> build() {
    put(bytes_, 0, std::uint32_t{0xba55ed50});
    put(bytes_, 4, std::uint16_t{1});
    put(bytes_, 6, std::uint16_t{16});
    put(bytes_, 8, std::uint64_t{bytes_.size() - 16});
    return bytes_;
  }

 private:
  template <typename T>
  static void put(std::vector<std::byte>& bytes, std::size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }

  std::vector<std::byte> bytes_;
};

std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

template <typename Call>
std::string error_of(Call&& call) {
  try {
    call();
  } catch (const FatbinError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Fatbin, GivesEntriesAndCutsTextAtItsEnd) {
  const auto bytes =
      FatbinBuilder().add(2, 80, 0x11, "machine code").add(1, 80, 0x11, "ptx").build();
  const auto entries = fatbin_entries(bytes);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].kind, FatbinKind::other);
  EXPECT_EQ(entries[1].kind, FatbinKind::ptx);
  EXPECT_EQ(entries[1].architecture, 80);
  EXPECT_EQ(ptx_text(entries[1]), "ptx");
}

TEST(Fatbin, ChoosesTheBestArchitecture) {
  const auto bytes = FatbinBuilder()
                         .add(1, 80, 0, "80")
                         .add(1, 90, kSpecific, "90a")
                         .add(1, 90, 0, "90")
                         .add(1, 100, 0, "100")
                         .build();
  const auto entries = fatbin_entries(bytes);
  EXPECT_EQ(best_ptx(entries, 90), "90a");
  EXPECT_EQ(best_ptx(entries, 89), "80");
  EXPECT_EQ(best_ptx(entries, 91), "90");  // sm_90a code runs on sm_90 alone
  EXPECT_EQ(error_of([&] { best_ptx(entries, 75); }),
            "fat binary: no PTX that runs on sm_75; PTX found: sm_80 sm_90a sm_90 sm_100");
}

TEST(Fatbin, DecodesLz4AndRefusesZstdByName) {
  const std::string block(
      "\x54"
      "abcab"
      "\x03\x00"
      "\x50"
      "abxyz",
      14);
  const auto bytes =
      FatbinBuilder().add(1, 80, kLz4, block, 18).add(1, 90, kZstd, "(compressed)", 50).build();
  const auto entries = fatbin_entries(bytes);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(ptx_text(entries[0]), "abcabcabcabcaabxyz");
  EXPECT_NE(error_of([&] { ptx_text(entries[1]); }).find("--compress-mode=none"),
            std::string::npos);
}

TEST(Fatbin, RefusesWhatIsMalformed) {
  const auto good = FatbinBuilder().add(1, 80, 0, "some text").build();
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(error_of([&] { fatbin_entries(std::span(good).first(size)); }), "no error") << size;
  }
  auto bad_magic = good;
  bad_magic[0] = std::byte{1};
  EXPECT_EQ(error_of([&] { fatbin_entries(bad_magic); }),
            "fat binary: magic number 0xba55ed01, expected 0xba55ed50");
  auto huge_entry = good;
  huge_entry[16 + 8 + 7] = std::byte{0xff};  // the top byte of the payload's size
  EXPECT_EQ(error_of([&] { fatbin_entries(huge_entry); }), "fat binary: entry 0 runs past the end");
}

TEST(Fatbin, ReadsBothWrappers) {
  struct Wrapper {
    std::uint32_t magic, version;
    const void* fatbin;
    const void* const* fatbins;
  };
  const auto first = FatbinBuilder().add(1, 80, 0, "first").build();
  const auto second = FatbinBuilder().add(1, 80, 0, "second").build();
  const Wrapper plain{0x466243b1, 1, first.data(), nullptr};
  EXPECT_EQ(ptx_of_wrapper(&plain, 90), std::vector<std::string>{"first"});
  const void* list[] = {first.data(), second.data(), nullptr};
  const Wrapper relocatable{0x466243b1, 2, nullptr, list};
  EXPECT_EQ(ptx_of_wrapper(&relocatable, 90), (std::vector<std::string>{"first", "second"}));
  const Wrapper unknown{0x466243b1, 3, first.data(), nullptr};
  EXPECT_EQ(error_of([&] { ptx_of_wrapper(&unknown, 90); }),
            "fat binary wrapper: version 3, expected 1 or 2");
}

TEST(Lz4, DecodesLongLengths) {
  // 15 + 255 + 3 literals, then a match of 4 + 15 + 1 at distance 1.
  std::string block("\xff\xff\x03", 3);
  block += std::string(273, 'a') + std::string("\x01\x00\x01", 3);
  block += std::string(
      "\x10"
      "z",
      2);
  EXPECT_EQ(lz4_decode(as_bytes(block), 273 + 20 + 1), std::string(293, 'a') + "z");
}

TEST(Lz4, RefusesWhatIsMalformed) {
  const auto decode = [](const std::string& block, std::size_t raw_size) {
    return error_of([&] { lz4_decode(as_bytes(block), raw_size); });
  };
  EXPECT_EQ(decode(std::string("\x50"
                               "abc",
                               4),
                   5),
            "fat binary: LZ4 literals run past the block");
  EXPECT_EQ(decode(std::string("\x10"
                               "a"
                               "\x02\x00",
                               4),
                   5),
            "fat binary: LZ4 match points before the text");
  EXPECT_EQ(decode(std::string("\x10"
                               "a"
                               "\x00\x00",
                               4),
                   5),
            "fat binary: LZ4 match points before the text");
  EXPECT_EQ(decode(std::string("\x10"
                               "a"
                               "\x01\x00",
                               4),
                   4),
            "fat binary: LZ4 block exceeds its raw size");
  EXPECT_EQ(decode(std::string("\xf0\xff", 2), 5), "fat binary: LZ4 block ends too early");
  EXPECT_EQ(decode(std::string("\x10"
                               "a",
                               2),
                   2),
            "fat binary: LZ4 block is shorter than its raw size");
  EXPECT_EQ(decode(std::string("\x10"
                               "a",
                               2),
                   std::size_t{1} << 40),
            "fat binary: LZ4 block is too short for its raw size");
}

}  // namespace
}  // namespace vgpu
