#pragma once

#include <cstdint>

namespace vgpu {

// The device that is modelled: compute capability 9.0 with an H100 SXM's limits. Bytes and threads
// unless a name says otherwise.
struct DeviceLimits {
  std::uint32_t compute_capability = 90;  // ten times the major number, and the minor one
  int multiprocessors = 132;
  int warp_lanes = 32;

  std::uint32_t threads_per_block = 1024;
  std::uint32_t threads_per_multiprocessor = 2048;
  std::uint32_t blocks_per_multiprocessor = 32;
  std::uint32_t block[3] = {1024, 1024, 64};
  std::uint32_t grid[3] = {2147483647, 65535, 65535};
  std::uint32_t blocks_per_cluster = 8;                // portable size
  std::uint32_t blocks_per_cluster_non_portable = 16;  // needs the kernel's consent

  std::uint32_t shared_per_block = 48 << 10;          // without opting in
  std::uint32_t shared_per_block_opt_in = 227 << 10;  // static and dynamic together
  std::uint32_t shared_reserved_per_block = 1 << 10;  // the system's own
  std::uint32_t registers_per_block = 65536;
  std::uint32_t registers_per_multiprocessor = 65536;
  std::uint32_t constant_bytes = 64 << 10;
  std::uint32_t parameter_bytes = 32764;

  std::uint64_t total_memory = std::uint64_t{80} << 30;
  std::uint64_t l2_bytes = std::uint64_t{50} << 20;
  std::uint32_t memory_bus_bits = 5120;
};

inline constexpr DeviceLimits kDevice{};

}  // namespace vgpu
