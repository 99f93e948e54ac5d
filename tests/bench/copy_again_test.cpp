#include "bench/cuda/copy_again.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/device.h"

namespace siamese::bench {
namespace {

TEST(CopyAgain, CopiesAllBytesAndNoMore) {
  if (const auto reason = backend(Device::cuda).why_unavailable()) GTEST_SKIP() << *reason;
  const CopyAgain copies;
  for (const std::int64_t rounds : {1, 2}) {
    const std::int64_t bytes = rounds * copies.round_bytes();
    std::vector<std::uint8_t> values(static_cast<std::size_t>(bytes));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::uint8_t>(i * 2654435761U >> 20);
    }
    const Buffer<std::uint8_t> from(Device::cuda, std::span<const std::uint8_t>(values));
    const Buffer<std::uint8_t> to(Device::cuda, bytes + 16);
    copies.launch(reinterpret_cast<const char*>(from.data()), reinterpret_cast<char*>(to.data()),
                  bytes, 2, nullptr);
    backend(Device::cuda).synchronize(Stream{});
    values.resize(values.size() + 16, 0xFF);  // as it was poisoned
    EXPECT_TRUE(to.copy_out() == values) << rounds << " rounds";
  }
}

}  // namespace
}  // namespace siamese::bench
