#include "tests/vgpu/exec/access.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/observe.h"

namespace vgpu {
namespace {

// Bytes with one shadow byte each; offsets below `end` exist.
struct Region {
  std::byte* bytes;
  std::uint8_t* shadow;
  std::uint64_t end;

  [[nodiscard]] bool holds(std::uint64_t offset, std::uint32_t count) const {
    return count <= end && offset <= end - count;
  }
};

// An access in a region: an offset for every lane, so that loops over all lanes need no branch.
// Lanes outside the mask have that of its first lane.
struct Offsets {
  std::uint64_t at[kLanes];
  std::uint64_t lowest, highest;
  std::uint64_t low_bits;  // those that an aligned offset has not, of all lanes

  Offsets(const std::uint64_t* addresses, std::uint64_t base, std::uint64_t lane_stride,
          LaneMask mask, std::uint32_t alignment) {
    const auto first = static_cast<std::uint32_t>(std::countr_zero(mask));
    const std::uint64_t other = addresses[first] - base + first * lane_stride;
    std::uint64_t low = other;
    std::uint64_t high = other;
    std::uint64_t bits = 0;
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      const std::uint64_t own = addresses[lane] - base + lane * lane_stride;
      const std::uint64_t offset = ((mask >> lane) & 1) != 0 ? own : other;
      at[lane] = offset;
      low = offset < low ? offset : low;
      high = offset > high ? offset : high;
      bits |= offset;
    }
    lowest = low;
    highest = high;
    low_bits = bits & (alignment - 1);
  }
};

template <class Word>
Word load_word(const std::uint8_t* shadow) {
  Word word;
  std::memcpy(&word, shadow, sizeof word);
  return word;
}
template <class Word>
constexpr Word kEachByte = static_cast<Word>(std::numeric_limits<Word>::max() / 0xff);

// Whether all of a stretch of shadow bytes have the bits of `needs`.
bool stretch_holds(const std::uint8_t* shadow, std::uint64_t bytes, std::uint8_t needs) {
  using Word = std::uint64_t;
  const Word want = kEachByte<Word> * needs;
  Word all = want;
  for (std::uint64_t i = 0; i + sizeof(Word) <= bytes; i += sizeof(Word)) {
    all &= load_word<Word>(shadow + i);
  }
  return ((all & load_word<Word>(shadow + bytes - sizeof(Word))) & want) == want;
}

template <class Word>
bool lanes_hold(const std::uint8_t* shadow, const std::uint64_t* offsets, std::uint32_t words,
                std::uint8_t needs) {
  const Word want = static_cast<Word>(kEachByte<Word> * needs);
  Word all = want;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    for (std::uint32_t i = 0; i < words; ++i) {
      all &= load_word<Word>(shadow + offsets[lane] + i * sizeof(Word));
    }
  }
  return (all & want) == want;
}

// Whether each byte of the access has the shadow bits of `needs`. Lanes are mostly near to one
// another, and then the stretch from the first to the last is looked at as a whole.
bool shadow_holds(const Region& region, const Offsets& offsets, std::uint32_t bytes,
                  std::uint8_t needs) {
  constexpr std::uint64_t kNear = 1024;
  const std::uint64_t apart = offsets.highest - offsets.lowest;
  const std::uint64_t stretch = apart + bytes;
  if (stretch >= 8 && apart <= kNear &&
      stretch_holds(region.shadow + offsets.lowest, stretch, needs)) {
    return true;
  }
  switch (bytes) {
    case 1:
      return lanes_hold<std::uint8_t>(region.shadow, offsets.at, 1, needs);
    case 2:
      return lanes_hold<std::uint16_t>(region.shadow, offsets.at, 1, needs);
    case 4:
      return lanes_hold<std::uint32_t>(region.shadow, offsets.at, 1, needs);
    default:
      return bytes % 8 == 0 ? lanes_hold<std::uint64_t>(region.shadow, offsets.at, bytes / 8, needs)
                            : lanes_hold<std::uint8_t>(region.shadow, offsets.at, bytes, needs);
  }
}

template <class Word>
void mark_lanes(std::uint8_t* shadow, const std::uint64_t* offsets, LaneMask mask,
                std::uint32_t words) {
  constexpr auto kMark =
      static_cast<Word>(kEachByte<Word> * (Memory::kAddressable | Memory::kWritten));
  for_lanes(mask, [&](std::uint32_t lane) {
    for (std::uint32_t i = 0; i < words; ++i) {
      std::memcpy(shadow + offsets[lane] + i * sizeof(Word), &kMark, sizeof kMark);
    }
  });
}

void mark_written(const Region& region, const std::uint64_t* offsets, LaneMask mask,
                  std::uint32_t bytes) {
  switch (bytes) {
    case 1:
      return mark_lanes<std::uint8_t>(region.shadow, offsets, mask, 1);
    case 2:
      return mark_lanes<std::uint16_t>(region.shadow, offsets, mask, 1);
    case 4:
      return mark_lanes<std::uint32_t>(region.shadow, offsets, mask, 1);
    default:
      return bytes % 8 == 0 ? mark_lanes<std::uint64_t>(region.shadow, offsets, mask, bytes / 8)
                            : mark_lanes<std::uint8_t>(region.shadow, offsets, mask, bytes);
  }
}

const char* verb(AccessKind kind) {
  constexpr const char* words[] = {"load", "store", "atomic operation"};
  return words[static_cast<int>(kind)];
}

// Ends the launch: an access that a real device refuses or that hits another object.
[[noreturn]] void fail(Warp& w, ReportKind kind, FaultKind fault, AccessKind access,
                       std::uint32_t bytes, const std::string& where, std::uint32_t lane) {
  const std::string message =
      fmt::format("{} of {} bytes: {}; {}", verb(access), bytes, where, describe_thread(w, lane));
  report(w, kind, message);
  throw Fault{fault, fmt::format("{}: {}", name(kind), message)};
}

std::string describe_extents(const std::vector<Extent>& extents, std::uint64_t offset) {
  const Extent* nearest = nullptr;
  std::uint64_t best = ~std::uint64_t{0};
  for (const Extent& e : extents) {
    const std::uint64_t distance = offset < e.offset              ? e.offset - offset
                                   : offset >= e.offset + e.bytes ? offset - e.offset - e.bytes
                                                                  : 0;
    if (distance < best || nearest == nullptr) {
      best = distance;
      nearest = &e;
    }
  }
  if (nearest == nullptr) return "nothing is there";
  if (offset < nearest->offset) {
    return fmt::format("{} bytes before {} ({} bytes)", best, nearest->name, nearest->bytes);
  }
  if (offset >= nearest->offset + nearest->bytes) {
    return fmt::format("{} bytes past the end of {} ({} bytes)", best, nearest->name,
                       nearest->bytes);
  }
  return fmt::format("{} bytes into {} ({} bytes)", offset - nearest->offset, nearest->name,
                     nearest->bytes);
}

std::vector<Extent> shared_extents(const LaunchState& launch) {
  std::vector<Extent> extents = launch.kernel->shared;
  if (launch.launch->dynamic_shared_bytes > 0) {
    extents.push_back({launch.kernel->dynamic_shared_offset, launch.launch->dynamic_shared_bytes,
                       "dynamic shared memory"});
  }
  return extents;
}

std::string describe_local(const Warp& w, std::uint64_t offset) {
  std::vector<Extent> extents;
  for (const Frame* f = w.frame; f != nullptr; f = f->caller) {
    for (Extent e : f->function->locals) {
      e.offset += f->local_base;
      e.name = fmt::format("{} of {}", e.name, f->function->name);
      extents.push_back(std::move(e));
    }
  }
  return fmt::format("local offset {:#x} is {}", offset, describe_extents(extents, offset));
}

enum class RegionKind { global, shared, local };

std::string describe(const Warp& w, RegionKind kind, std::uint64_t offset) {
  switch (kind) {
    case RegionKind::global: {
      const Memory& memory = *w.worker->launch->memory;
      return memory.describe(memory.base() + offset);
    }
    case RegionKind::shared:
      return describe_shared_offset(w, offset);
    case RegionKind::local:
      return describe_local(w, offset);
  }
  return {};
}

// Finds the lane that broke a rule and says so. Reads of bytes never written do not end the launch.
void explain(Warp& w, const AccessDetail& d, const Region& region, RegionKind kind,
             const std::uint64_t* offsets, std::uint64_t lane_stride, LaneMask mask,
             std::uint8_t needs) {
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint64_t offset = offsets[lane];
    const std::uint64_t shown = offset - lane * lane_stride;
    if (!region.holds(offset, d.bytes)) {
      fail(w, ReportKind::out_of_bounds, FaultKind::illegal_address, d.kind, d.bytes,
           describe(w, kind, shown), lane);
    }
    if (shown % d.alignment != 0) {
      fail(w, ReportKind::misaligned, FaultKind::misaligned_address, d.kind, d.bytes,
           fmt::format("the address must be a multiple of {}: {}", d.alignment,
                       describe(w, kind, shown)),
           lane);
    }
    for (std::uint32_t i = 0; i < d.bytes; ++i) {
      const std::uint8_t bits = region.shadow[offset + i];
      if ((needs & Memory::kAddressable) != 0 && (bits & Memory::kAddressable) == 0) {
        const std::string where = describe(w, kind, shown + i);
        const bool freed = where.find("into the freed") != std::string::npos;
        fail(w, freed ? ReportKind::use_after_free : ReportKind::out_of_bounds,
             FaultKind::illegal_address, d.kind, d.bytes, where, lane);
      }
      if ((needs & Memory::kWritten) != 0 && (bits & Memory::kWritten) == 0) {
        report(w, ReportKind::uninitialised,
               fmt::format("{} of {} bytes, never written: {}; {}", verb(d.kind), d.bytes,
                           describe(w, kind, shown + i), describe_thread(w, lane)));
        return;
      }
    }
  });
}

// lane_stride: what a lane's own part of the region is shifted by.
void check(Warp& w, const AccessDetail& d, const Region& region, RegionKind kind,
           const Offsets& offsets, std::uint64_t lane_stride, LaneMask mask, Lanes& lanes) {
  const Worker& worker = *w.worker;
  const bool store = d.kind == AccessKind::store;
  const std::uint8_t needs = store ? worker.store_needs : worker.load_needs;
  const bool outside = !region.holds(offsets.highest, d.bytes) || offsets.low_bits != 0;
  if (outside || (needs != 0 && !shadow_holds(region, offsets, d.bytes, needs))) {
    explain(w, d, region, kind, offsets.at, lane_stride, mask, needs);
  }
  if (d.kind != AccessKind::load && worker.checks.init) {
    mark_written(region, offsets.at, mask, d.bytes);
  }
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    lanes.at[lane] = region.bytes + offsets.at[lane];
  }
}

void resolve_global(Warp& w, const AccessDetail& d, const std::uint64_t* addresses, LaneMask mask,
                    Lanes& lanes) {
  const Memory& memory = *w.worker->launch->memory;
  const Region region{memory.bytes(), memory.shadow(), memory.end_offset()};
  const Offsets offsets(addresses, memory.base(), 0, mask, d.alignment);
  check(w, d, region, RegionKind::global, offsets, 0, mask, lanes);
  if (w.worker->observed) observe_global(w, d, offsets.at, mask);
}

void resolve_shared_of(Warp& w, Block& owner, const AccessDetail& d, const std::uint64_t* addresses,
                       LaneMask mask, Lanes& lanes) {
  const Region region{owner.shared.data(), owner.shared_shadow.data(), owner.shared_end};
  const Offsets offsets(addresses, 0, 0, mask, d.alignment);
  check(w, d, region, RegionKind::shared, offsets, 0, mask, lanes);
  if (w.worker->observed) observe_shared(w, owner, d, offsets.at, mask);
}

void resolve_shared(Warp& w, const AccessDetail& d, const std::uint64_t* addresses, LaneMask mask,
                    Lanes& lanes) {
  resolve_shared_of(w, *w.block, d, addresses, mask, lanes);
}

// Lanes that no part of a divided access fills in.
void send_away(Warp& w, Lanes& lanes) {
  for (std::byte*& at : lanes.at) at = w.worker->nowhere;
}

// Blocks of the cluster, one after the other.
void resolve_shared_cluster(Warp& w, const AccessDetail& d, const std::uint64_t* addresses,
                            LaneMask mask, Lanes& lanes) {
  LaneMask rest = mask;
  send_away(w, lanes);
  while (rest != 0) {
    const auto first = static_cast<std::uint32_t>(std::countr_zero(rest));
    const SharedPlace place = shared_place(w, addresses[first]);
    if (place.block == nullptr) {
      fail(w, ReportKind::out_of_bounds, FaultKind::illegal_address, d.kind, d.bytes,
           fmt::format("shared::cluster address {:#x} is in no block of the cluster",
                       addresses[first]),
           first);
    }
    if (place.block->live_warps == 0) {
      fail(w, ReportKind::out_of_bounds, FaultKind::illegal_address, d.kind, d.bytes,
           fmt::format("block {} of the cluster has exited", place.block->cluster_rank), first);
    }
    LaneMask same = 0;
    std::uint64_t offsets[kLanes] = {};
    for_lanes(rest, [&](std::uint32_t lane) {
      const SharedPlace other = shared_place(w, addresses[lane]);
      if (other.block != place.block) return;
      same |= LaneMask{1} << lane;
      offsets[lane] = other.offset;
    });
    Lanes part;
    resolve_shared_of(w, *place.block, d, offsets, same, part);
    for_lanes(same, [&](std::uint32_t lane) { lanes.at[lane] = part.at[lane]; });
    rest &= ~same;
  }
}

void resolve_local(Warp& w, const AccessDetail& d, const std::uint64_t* addresses, LaneMask mask,
                   Lanes& lanes) {
  LocalMemory& local = w.local;
  for_lanes(mask, [&](std::uint32_t lane) {
    if (addresses[lane] <= local.stride - d.bytes) return;
    fail(w, ReportKind::out_of_bounds, FaultKind::illegal_address, d.kind, d.bytes,
         describe_local(w, addresses[lane]), lane);
  });
  const Region region{local.bytes.data(), local.shadow.data(),
                      std::uint64_t{local.stride} * kLanes};
  const Offsets offsets(addresses, 0, local.stride, mask, d.alignment);
  check(w, d, region, RegionKind::local, offsets, local.stride, mask, lanes);
  if (w.worker->observed) observe_local(w, d, offsets.at, mask);
}

void resolve_param(Warp& w, const AccessDetail& d, const std::uint64_t* addresses, LaneMask mask,
                   Lanes& lanes) {
  LaunchState& launch = *w.worker->launch;
  send_away(w, lanes);
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint64_t offset = addresses[lane];
    const std::uint64_t size = launch.kernel->info.parameter_bytes;
    if (d.kind != AccessKind::load || offset > size || size - offset < d.bytes) {
      fail(w, ReportKind::out_of_bounds, FaultKind::illegal_address, d.kind, d.bytes,
           fmt::format("offset {} of the kernel's {} bytes of parameters", offset, size), lane);
    }
    if (offset % d.alignment != 0) {
      fail(w, ReportKind::misaligned, FaultKind::misaligned_address, d.kind, d.bytes,
           fmt::format("offset {} of the parameters", offset), lane);
    }
    lanes.at[lane] = launch.parameters.data() + offset;
  });
}

void resolve_generic(Warp& w, const AccessDetail& d, const std::uint64_t* addresses, LaneMask mask,
                     Lanes& lanes) {
  const Memory& memory = *w.worker->launch->memory;
  const std::uint64_t base = memory.base();
  LaneMask special = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
    special |= static_cast<LaneMask>(addresses[lane] - base < 3 * Memory::kWindowBytes ? 1 : 0)
               << lane;
  }
  special &= mask;
  if (special == 0) {
    resolve_global(w, d, addresses, mask, lanes);
    return;
  }
  send_away(w, lanes);
  const auto keep = [&](LaneMask part, const Lanes& found) {
    for_lanes(part, [&](std::uint32_t lane) { lanes.at[lane] = found.at[lane]; });
  };
  Lanes part;
  if (const LaneMask global = mask & ~special; global != 0) {
    resolve_global(w, d, addresses, global, part);
    keep(global, part);
  }
  constexpr Resolve by_window[] = {resolve_shared_cluster, resolve_local, resolve_param};
  for (std::uint64_t window = 0; window < 3; ++window) {
    LaneMask here = 0;
    std::uint64_t offsets[kLanes] = {};
    for_lanes(special, [&](std::uint32_t lane) {
      const std::uint64_t offset = addresses[lane] - base;
      if (offset / Memory::kWindowBytes != window) return;
      here |= LaneMask{1} << lane;
      offsets[lane] = offset % Memory::kWindowBytes;
    });
    if (here == 0) continue;
    by_window[window](w, d, offsets, here, part);
    keep(here, part);
  }
}

}  // namespace

std::string describe_shared_offset(const Warp& w, std::uint64_t offset) {
  return fmt::format("shared offset {:#x} is {}", offset,
                     describe_extents(shared_extents(*w.worker->launch), offset));
}

Block* owner_of(Warp& w, const std::byte* at) {
  for (Block* block : w.block->cluster) {
    if (at >= block->shared.data() && at < block->shared.data() + block->shared_end) return block;
  }
  return nullptr;
}

std::uint8_t* shadow_of(Warp& w, const std::byte* at) {
  if (Block* block = owner_of(w, at)) {
    return block->shared_shadow.data() + (at - block->shared.data());
  }
  const Memory& memory = *w.worker->launch->memory;
  if (at >= memory.bytes() && at < memory.bytes() + memory.end_offset()) {
    return memory.shadow() + (at - memory.bytes());
  }
  return nullptr;
}

SharedPlace shared_place(Warp& w, std::uint64_t address) {
  const std::uint64_t rank = address >> kClusterRankShift;
  const auto offset = static_cast<std::uint32_t>(address & ((1u << kClusterRankShift) - 1));
  if (rank == 0) return {w.block, offset};
  if (rank > w.block->cluster.size()) return {};
  return {w.block->cluster[rank - 1], offset};
}

void effective_addresses(Warp& w, std::uint32_t row_offset, std::uint32_t address_bytes,
                         std::int64_t offset, std::uint64_t* addresses) {
  if (address_bytes == 8) {
    const auto* base = row<const std::uint64_t>(w, row_offset);
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      addresses[lane] = base[lane] + static_cast<std::uint64_t>(offset);
    }
  } else {
    const auto* base = row<const std::uint32_t>(w, row_offset);
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) {
      addresses[lane] = base[lane] + static_cast<std::uint32_t>(offset);
    }
  }
}

AddressSpace take_space(Builder& b) {
  if (b.take("global") || b.take("const")) return AddressSpace::global;
  if (b.take("shared") || b.take("shared::cta")) return AddressSpace::shared;
  if (b.take("shared::cluster")) return AddressSpace::shared_cluster;
  if (b.take("local")) return AddressSpace::local;
  if (b.take("param") || b.take("param::entry")) return AddressSpace::param;
  return AddressSpace::generic;
}

Resolve resolver(AddressSpace space) {
  switch (space) {
    case AddressSpace::generic:
      return resolve_generic;
    case AddressSpace::global:
      return resolve_global;
    case AddressSpace::shared:
      return resolve_shared;
    case AddressSpace::shared_cluster:
      return resolve_shared_cluster;
    case AddressSpace::local:
      return resolve_local;
    case AddressSpace::param:
      return resolve_param;
  }
  return nullptr;
}

Ordering take_ordering(Builder& b, Ordering otherwise) {
  const int word =
      b.take_any({"weak", "volatile", "mmio", "relaxed", "acquire", "release", "acq_rel"});
  b.take_any({"cta", "cluster", "gpu", "sys"});
  switch (word) {
    case 0:
      return Ordering::weak;
    case 1:
    case 2:
    case 3:
      return Ordering::relaxed;
    case 4:
      return Ordering::acquire;
    case 5:
      return Ordering::release;
    case 6:
      return Ordering::acquire_release;
    default:
      return otherwise;
  }
}

void take_cache_hints(Builder& b) {
  for (const char* hint :
       {"ca", "cg", "cs", "cv", "lu", "wb", "wt", "nc", "L1::evict_normal", "L1::evict_unchanged",
        "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::64B", "L2::128B", "L2::256B",
        "L2::evict_last", "L2::evict_normal", "L2::evict_first"}) {
    b.take(hint);
  }
}

std::byte* resolve_range(Warp& w, LaneMask mask, AddressSpace space, std::uint64_t address,
                         std::uint32_t bytes, AccessKind kind, std::uint32_t alignment,
                         bool async) {
  const auto lane = static_cast<std::uint32_t>(std::countr_zero(mask));
  std::uint64_t addresses[kLanes] = {};
  Lanes lanes;
  AccessDetail d;
  d.kind = kind;
  d.async = async;
  d.bytes = bytes;
  d.alignment = alignment;
  addresses[lane] = address;
  resolver(space)(w, d, addresses, LaneMask{1} << lane, lanes);
  return lanes.at[lane];
}

}  // namespace vgpu
