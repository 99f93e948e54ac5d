#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

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

// How an access takes part in the order between threads. All but weak ones may meet one another
// without a race. A relaxed one still hands on what a fence before it has published.
enum class Ordering : std::uint8_t { weak, relaxed, acquire, release, acquire_release };

struct AccessDetail;
using Resolve = void (*)(Warp&, const AccessDetail&, const std::uint64_t* addresses, LaneMask,
                         Lanes&);

// What the checks must know of an access; details of memory instructions derive from it.
struct AccessDetail : Detail {
  Resolve resolve = nullptr;
  AccessKind kind = AccessKind::load;
  Ordering ordering = Ordering::weak;
  bool async = false;               // by the asynchronous proxy: bulk copies, wgmma
  bool counted = true;              // as traffic, where counters are on
  std::uint32_t bytes = 0;          // a lane
  std::uint32_t alignment = 0;      // bytes, unless the instruction asks for less
  std::uint32_t address_bytes = 8;  // of a lane in the row of addresses
  // Of a store: whether two lanes store the same value. Null where that is not known.
  bool (*same_value)(Warp&, const AccessDetail&, std::uint32_t lane, std::uint32_t other) = nullptr;
  // Of a store: whether the memory holds that value already.
  bool (*holds_value)(Warp&, const AccessDetail&, std::uint32_t lane,
                      const std::byte* at) = nullptr;
};

// One state space in the words of an instruction, ".shared::cluster" with what follows "shared".
enum class AddressSpace : std::uint8_t { generic, global, shared, shared_cluster, local, param };

// Takes ".global", ".shared::cta", ... from the modifiers; none is the generic space.
[[nodiscard]] AddressSpace take_space(Builder& b);
[[nodiscard]] Resolve resolver(AddressSpace space);
// Takes .relaxed, .acquire, ... and their scope; `otherwise` where none is given.
[[nodiscard]] Ordering take_ordering(Builder& b, Ordering otherwise);
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
// bytes, for the first lane of `mask`. `async`: by the asynchronous proxy.
[[nodiscard]] std::byte* resolve_range(Warp& w, LaneMask mask, AddressSpace space,
                                       std::uint64_t address, std::uint32_t bytes, AccessKind kind,
                                       std::uint32_t alignment, bool async = false);

// The shadow of a byte that resolve() gave, in device memory or a shared memory of the cluster;
// null for anything else.
[[nodiscard]] std::uint8_t* shadow_of(Warp& w, const std::byte* at);
// The block of the cluster in whose shared memory a resolved byte lies; null for none.
[[nodiscard]] Block* owner_of(Warp& w, const std::byte* at);

// "shared offset 0x400 is 0 bytes into tile (1024 bytes)"
[[nodiscard]] std::string describe_shared_offset(const Warp& w, std::uint64_t offset);

// The shared memory and offset that an address of the shared::cluster space means.
struct SharedPlace {
  Block* block = nullptr;  // null: no block of the cluster
  std::uint32_t offset = 0;
};
[[nodiscard]] SharedPlace shared_place(Warp& w, std::uint64_t address);
inline constexpr std::uint32_t kClusterRankShift = 24;  // rank + 1 stands above this bit

}  // namespace vgpu
