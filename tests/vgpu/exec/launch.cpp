#include "tests/vgpu/exec/launch.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/posed.h"

namespace vgpu {
namespace {

LaunchProblem problem(LaunchProblem kind, std::string* message, std::string text) {
  if (message != nullptr) *message = std::move(text);
  return kind;
}

std::string words(const Dim3& d) { return fmt::format("({},{},{})", d.x, d.y, d.z); }

bool same(const Dim3& a, const Dim3& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

std::uint32_t round_up(std::uint32_t value, std::uint32_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

LaunchProblem check(const Launch& launch, std::string* message) {
  const KernelInfo& kernel = launch.kernel->info;
  if (!kernel.unsupported.empty()) {
    std::string text =
        fmt::format("kernel {} uses what the virtual GPU does not execute:", kernel.name);
    for (std::size_t i = 0; i < std::min<std::size_t>(kernel.unsupported.size(), 10); ++i) {
      text += "\n  " + kernel.unsupported[i];
    }
    if (kernel.unsupported.size() > 10) {
      text += fmt::format("\n  and {} more", kernel.unsupported.size() - 10);
    }
    return problem(LaunchProblem::unsupported, message, text);
  }
  const Dim3& g = launch.grid;
  const Dim3& b = launch.block;
  const bool fits = g.x >= 1 && g.y >= 1 && g.z >= 1 && g.x <= kDevice.grid[0] &&
                    g.y <= kDevice.grid[1] && g.z <= kDevice.grid[2] && b.x >= 1 && b.y >= 1 &&
                    b.z >= 1 && b.x <= kDevice.block[0] && b.y <= kDevice.block[1] &&
                    b.z <= kDevice.block[2] && b.count() <= kDevice.threads_per_block;
  if (!fits) {
    return problem(LaunchProblem::invalid_value, message,
                   fmt::format("kernel {}: a grid of {} blocks of {} threads", kernel.name,
                               words(g), words(b)));
  }
  if (kernel.required_block.x != 0 && !same(kernel.required_block, b)) {
    return problem(LaunchProblem::invalid_value, message,
                   fmt::format("kernel {} requires blocks of {}, not {}", kernel.name,
                               words(kernel.required_block), words(b)));
  }
  if (kernel.max_threads != 0 && b.count() > kernel.max_threads) {
    return problem(LaunchProblem::invalid_value, message,
                   fmt::format("kernel {} is bounded to {} threads a block, not {}", kernel.name,
                               kernel.max_threads, b.count()));
  }
  const std::uint32_t limit = launch.dynamic_shared_limit != 0
                                  ? launch.dynamic_shared_limit
                                  : kDevice.shared_per_block - std::min(kDevice.shared_per_block,
                                                                        kernel.static_shared_bytes);
  const std::uint64_t shared =
      std::uint64_t{kernel.static_shared_bytes} + launch.dynamic_shared_bytes;
  if (launch.dynamic_shared_bytes > limit || shared > posed.shared_per_block_opt_in) {
    return problem(
        LaunchProblem::invalid_value, message,
        fmt::format("kernel {}: {} bytes of dynamic shared memory beside {} static ones; "
                    "the limit is {}",
                    kernel.name, launch.dynamic_shared_bytes, kernel.static_shared_bytes, limit));
  }
  const Dim3 cluster = launch.cluster.x != 0 ? launch.cluster : kernel.required_cluster;
  if (cluster.x == 0 && kernel.explicit_cluster && kernel.required_cluster.x == 0) {
    return problem(LaunchProblem::invalid_cluster, message,
                   fmt::format("kernel {} may only be launched as clusters", kernel.name));
  }
  if (cluster.x != 0) {
    if (!posed.has_clusters()) {
      return problem(
          LaunchProblem::invalid_cluster, message,
          fmt::format("kernel {}: clusters, which come with compute capability 9.0", kernel.name));
    }
    std::uint64_t most = launch.non_portable_cluster ? kDevice.blocks_per_cluster_non_portable
                                                     : kDevice.blocks_per_cluster;
    if (kernel.max_cluster != 0) most = std::min<std::uint64_t>(most, kernel.max_cluster);
    const bool divides = cluster.y != 0 && cluster.z != 0 && g.x % cluster.x == 0 &&
                         g.y % cluster.y == 0 && g.z % cluster.z == 0;
    const bool agrees = kernel.required_cluster.x == 0 || same(kernel.required_cluster, cluster);
    if (!divides || !agrees || cluster.count() > most) {
      return problem(LaunchProblem::invalid_cluster, message,
                     fmt::format("kernel {}: clusters of {} in a grid of {}; at most {} blocks",
                                 kernel.name, words(cluster), words(g), most));
    }
  }
  if (launch.cooperative) {
    const std::uint64_t resident =
        std::uint64_t{resident_blocks(kernel, static_cast<std::uint32_t>(b.count()),
                                      launch.dynamic_shared_bytes)} *
        std::uint64_t{posed.multiprocessors};
    if (g.count() > resident) {
      return problem(LaunchProblem::cooperative_too_large, message,
                     fmt::format("kernel {}: {} blocks in a cooperative launch, of which {} can be "
                                 "resident",
                                 kernel.name, g.count(), resident));
    }
  }
  return LaunchProblem::none;
}

std::uint32_t resident_blocks(const KernelInfo& kernel, std::uint32_t threads,
                              std::uint32_t dynamic_shared_bytes) {
  if (threads == 0 || threads > kDevice.threads_per_block) return 0;
  const std::uint32_t by_threads =
      kDevice.threads_per_multiprocessor /
      round_up(threads, static_cast<std::uint32_t>(kDevice.warp_lanes));
  constexpr std::uint32_t kPiece = 128;  // of shared memory, as a device gives it out
  const std::uint64_t shared = round_up(kernel.static_shared_bytes + dynamic_shared_bytes, kPiece) +
                               kDevice.shared_reserved_per_block;
  const auto by_shared = static_cast<std::uint32_t>(posed.shared_per_multiprocessor() / shared);
  return std::min({kDevice.blocks_per_multiprocessor, by_threads, by_shared});
}

}  // namespace vgpu
