// Buffers: what they hold, and the sizes that they refuse; and what the CPU is called.

#include "kernels/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/backends.h"
#include "model/error.h"

namespace siamese {
namespace {

using testing::ThrowsMessage;

constexpr std::int64_t most_floats = std::numeric_limits<std::int64_t>::max() / 4;

TEST(Buffer, IsBornPoisonedAndHoldsWhatIsCopied) {
  Buffer<float> buffer(Device::cpu, 3);
  for (const float value : buffer.copy_out()) EXPECT_TRUE(std::isnan(value));
  const std::vector<float> values{1, 2, 3};
  buffer.copy_in(values);
  EXPECT_EQ(buffer.copy_out(), values);
  EXPECT_EQ(Buffer<float>(Device::cpu, std::span<const float>(values)).copy_out(), values);
}

TEST(Buffer, MayBeEmpty) {
  Buffer<float> buffer(Device::cpu, 0);
  EXPECT_NE(buffer.data(), nullptr);
  buffer.copy_in({});
  EXPECT_TRUE(buffer.copy_out().empty());
}

TEST(Buffer, RefusesSizesThatCannotBe) {
  EXPECT_EQ(buffer_bytes(most_floats, 4), 4 * most_floats);
  EXPECT_THAT([] { Buffer<float>(Device::cpu, -1); },
              ThrowsMessage<UsageError>("buffer of -1 elements of 4 bytes; expected 0 to "
                                        "2305843009213693951 elements"));
  EXPECT_THAT([] { Buffer<float>(Device::cpu, most_floats + 1); },
              ThrowsMessage<UsageError>("buffer of 2305843009213693952 elements of 4 bytes; "
                                        "expected 0 to 2305843009213693951 elements"));
}

TEST(Buffer, RefusesToCopyFewerOrMoreValues) {
  Buffer<float> buffer(Device::cpu, 3);
  for (const std::size_t count : {0, 2, 4}) {
    const std::vector<float> values(count, 1.0F);
    EXPECT_THAT([&] { buffer.copy_in(values); },
                ThrowsMessage<UsageError>(std::to_string(count) +
                                          " values for a buffer of 3 elements; expected as many"));
  }
  for (const float value : buffer.copy_out()) EXPECT_TRUE(std::isnan(value));
}

TEST(ProcessorName, IsWhatLinuxTells) {
  const auto name_of = [](const char* cpuinfo) {
    std::istringstream text(cpuinfo);
    return processor_name(text);
  };
  EXPECT_EQ(name_of("processor\t: 0\nmodel\t\t: 85\nmodel name\t: AMD EPYC 9R14\nflags\t\t: fpu\n"),
            "AMD EPYC 9R14");
  EXPECT_EQ(
      name_of("processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n"
              "CPU architecture: 8\nCPU variant\t: 0x3\nCPU part\t: 0xd0c\nCPU revision\t: 1\n"),
      "Arm processor, implementer 0x41, part 0xd0c");
  EXPECT_EQ(name_of(""), "unknown processor");
}

}  // namespace
}  // namespace siamese
