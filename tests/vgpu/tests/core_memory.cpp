// The device's address space, as the host uses it.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/vgpu/memory/memory.h"
#include "tests/vgpu/memory/pointer.h"

namespace vgpu {
namespace {

Address must_allocate(Memory& memory, std::uint64_t bytes, MemoryKind kind = MemoryKind::device) {
  const auto address = memory.allocate(bytes, kind, "test");
  EXPECT_TRUE(address.has_value());
  return address.value_or(0);
}

TEST(Memory, AllocationsAreAlignedAndApart) {
  Memory memory;
  const Address a = must_allocate(memory, 100);
  const Address b = must_allocate(memory, 1);
  EXPECT_EQ(a % 256, 0u);
  EXPECT_EQ(b % 256, 0u);
  EXPECT_GE(b, a + 100 + 256);
  EXPECT_EQ(memory.live().size(), 2u);
  EXPECT_EQ(memory.used_bytes(), 101u);
}

TEST(Memory, CapacityIsALimit) {
  Memory memory(1000);
  const auto a = memory.allocate(600, MemoryKind::device, "a");
  ASSERT_TRUE(a.has_value());
  EXPECT_FALSE(memory.allocate(401, MemoryKind::device, "b").has_value());
  EXPECT_EQ(memory.release(*a), ReleaseResult::ok);
  EXPECT_TRUE(memory.allocate(1000, MemoryKind::device, "c").has_value());
}

TEST(Memory, ReleaseTellsMistakesApart) {
  Memory memory;
  const Address a = must_allocate(memory, 64);
  EXPECT_EQ(memory.release(a + 4), ReleaseResult::not_an_allocation);
  EXPECT_EQ(memory.release(a), ReleaseResult::ok);
  EXPECT_EQ(memory.release(a), ReleaseResult::already_freed);
  EXPECT_TRUE(memory.live().empty());
  EXPECT_FALSE(memory.query(a).has_value());
  EXPECT_NE(must_allocate(memory, 64), a) << "a freed address is not given out again";
}

TEST(Memory, HostAccessIsChecked) {
  Memory memory;
  const Address a = must_allocate(memory, 16);
  std::vector<std::uint8_t> bytes(17, 7);
  EXPECT_EQ(memory.write(a, bytes.data(), 17).status, AccessStatus::out_of_bounds);
  EXPECT_EQ(memory.read(bytes.data(), a - 1, 1).status, AccessStatus::out_of_bounds);
  EXPECT_EQ(memory.fill(0x1234, 0, 1).status, AccessStatus::out_of_bounds);
  EXPECT_EQ(memory.write(a + 16, bytes.data(), 0).status, AccessStatus::ok);
  ASSERT_EQ(memory.release(a), ReleaseResult::ok);
  const HostAccess stale = memory.read(bytes.data(), a + 4, 4);
  EXPECT_EQ(stale.status, AccessStatus::freed);
  EXPECT_NE(stale.message.find("4 bytes into the freed allocation"), std::string::npos)
      << stale.message;
}

TEST(Memory, CopiesCarryWhatWasWritten) {
  Memory memory;
  const Address from = must_allocate(memory, 8);
  const Address to = must_allocate(memory, 8);
  const std::uint32_t value = 42;
  ASSERT_TRUE(memory.write(from, &value, 4).ok());
  ASSERT_TRUE(memory.copy(to, from, 8).ok());
  std::uint32_t result[2] = {};
  EXPECT_TRUE(memory.read(result, to, 4).ok());
  EXPECT_EQ(result[0], 42u);
  const HostAccess access = memory.read(result, to, 8);
  EXPECT_EQ(access.status, AccessStatus::uninitialised);
  EXPECT_EQ(access.where, to + 4);
}

// Gigabytes cost what is touched of them.
TEST(Memory, LargeAllocations) {
  Memory memory;
  constexpr std::uint64_t kBytes = (std::uint64_t{20} << 30) + 12345;
  const Address a = must_allocate(memory, kBytes);
  const Address b = must_allocate(memory, 4);
  const std::uint8_t* shadow = memory.shadow() + (a - memory.base());
  for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{4096}, kBytes / 2, kBytes - 1}) {
    EXPECT_EQ(shadow[at], Memory::kAddressable) << at;
  }
  EXPECT_EQ(shadow[kBytes], 0);
  const std::uint32_t value = 7;
  ASSERT_TRUE(memory.write(a + kBytes / 2, &value, 4).ok());
  std::uint32_t seen = 0;
  EXPECT_TRUE(memory.read(&seen, a + kBytes / 2, 4).ok());
  EXPECT_EQ(memory.read(&seen, a + kBytes / 2 + (std::uint64_t{1} << 30), 4).status,
            AccessStatus::uninitialised);
  ASSERT_EQ(memory.release(a), ReleaseResult::ok);
  for (const std::uint64_t at : {std::uint64_t{0}, std::uint64_t{4096}, kBytes / 2, kBytes - 1}) {
    EXPECT_EQ(shadow[at], 0) << at;
  }
  EXPECT_TRUE(memory.write(b, &value, 4).ok());
}

TEST(Memory, DescribesTheNearestAllocation) {
  Memory memory;
  const Address a = must_allocate(memory, 100);
  EXPECT_NE(memory.describe(a + 108).find("8 bytes past the end of allocation"), std::string::npos);
  EXPECT_NE(memory.describe(a - 4).find("4 bytes before allocation"), std::string::npos);
  EXPECT_NE(memory.describe(0x10).find("no device address"), std::string::npos);
}

TEST(Memory, HostReachesPinnedMemoryOnly) {
  Memory memory;
  const Address pinned = must_allocate(memory, 8, MemoryKind::host_pinned);
  const Address device = must_allocate(memory, 8);
  std::memset(pointer_to(pinned), 1, 8);
  std::uint64_t seen = 0;
  EXPECT_TRUE(memory.read(&seen, pinned, 8).ok());
  EXPECT_EQ(seen, 0x0101010101010101u);
  EXPECT_DEATH(*static_cast<volatile int*>(pointer_to(device)) = 1, "");
}

}  // namespace
}  // namespace vgpu
