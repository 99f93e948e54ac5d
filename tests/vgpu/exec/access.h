#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/program.h"
#include "tests/vgpu/exec/warp.h"

// How instructions reach memory: from a row of addresses to checked host pointers, a lane each.
namespace vgpu {

enum class AccessKind : std::uint8_t { load, store, atomic };

// Where the lanes of an access are. Lanes that take no part point at bytes that nobody reads.
struct Lanes {
  std::byte* at[kLanes];
};

struct AccessDetail;
using Resolve = void (*)(Warp&, const AccessDetail&, const std::uint64_t* addresses, LaneMask,
                         Lanes&);

// What the checks must know of an access; details of memory instructions derive from it.
struct AccessDetail : Detail {
  Resolve resolve = nullptr;
  AccessKind kind = AccessKind::load;
  bool strong = false;              // volatile, relaxed, acquire, release: ordered by the program
  std::uint32_t bytes = 0;          // a lane
  std::uint32_t alignment = 0;      // bytes, unless the instruction asks for less
  std::uint32_t address_bytes = 8;  // of a lane in the row of addresses
};

// One state space in the words of an instruction, ".shared::cluster" with what follows "shared".
enum class AddressSpace : std::uint8_t { generic, global, shared, shared_cluster, local, param };

// Takes ".global", ".shared::cta", ... from the modifiers; none is the generic space.
[[nodiscard]] AddressSpace take_space(Builder& b);
[[nodiscard]] Resolve resolver(AddressSpace space);
// Takes cache and eviction hints, which change nothing here.
void take_cache_hints(Builder& b);

// The lanes' addresses: row plus offset.
void effective_addresses(Warp& w, std::uint32_t row, std::uint32_t address_bytes,
                         std::int64_t offset, std::uint64_t* addresses);

// addresses from ins.a and ins.immediate; checks and gives pointers, or throws Fault.
inline void resolve(Warp& w, const Instruction& ins, const AccessDetail& d, LaneMask mask,
                    Lanes& lanes) {
  std::uint64_t addresses[kLanes];
  effective_addresses(w, ins.a, d.address_bytes, ins.immediate, addresses);
  d.resolve(w, d, addresses, mask, lanes);
}

// One address for the whole warp (mma descriptors, bulk copies): a checked pointer to `bytes`
// bytes, for the first lane of `mask`.
[[nodiscard]] std::byte* resolve_range(Warp& w, LaneMask mask, AddressSpace space,
                                       std::uint64_t address, std::uint32_t bytes, AccessKind kind,
                                       std::uint32_t alignment);

// The shared memory and offset that an address of the shared::cluster space means.
struct SharedPlace {
  Block* block = nullptr;  // null: no block of the cluster
  std::uint32_t offset = 0;
};
[[nodiscard]] SharedPlace shared_place(Warp& w, std::uint64_t address);
inline constexpr std::uint32_t kClusterRankShift = 24;  // rank + 1 stands above this bit

}  // namespace vgpu
