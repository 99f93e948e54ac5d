// Asynchronous copies: cp.async and cp.async.bulk. Data lands as late as the program allows: when
// somebody waits for it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/vgpu/exec/access.h"
#include "tests/vgpu/exec/async.h"
#include "tests/vgpu/exec/builder.h"
#include "tests/vgpu/exec/families.h"
#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

using ptx::Type;

// ---- cp.async: 4, 8 or 16 bytes a lane ----

struct CopyDetail : Detail {
  AccessDetail to, from;
  std::uint32_t to_row = 0, from_row = 0;
  std::int64_t to_offset = 0, from_offset = 0;
  bool has_size = false;    // of the source; less than the whole is filled with zeros
  std::uint32_t size = 0;   // row
  bool has_ignore = false;  // a predicate: take nothing from the source
  std::uint32_t ignore = 0;
  LaneMask ignore_flip = 0;
};

void run_copy(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const CopyDetail&>(*ins.detail);
  const LaneMask ignored = d.has_ignore ? predicate(w, d.ignore) ^ d.ignore_flip : 0;
  const auto* size = row<std::uint32_t>(w, d.size);
  std::uint32_t from_bytes[kLanes] = {};
  LaneMask reading = 0;
  for_lanes(mask, [&](std::uint32_t lane) {
    from_bytes[lane] = ((ignored >> lane) & 1) != 0 ? 0 : d.has_size ? size[lane] : d.from.bytes;
    if (from_bytes[lane] > d.to.bytes) {
      throw Fault{FaultKind::illegal_instruction,
                  fmt::format("cp.async of {} bytes into {}, {}", from_bytes[lane], d.to.bytes,
                              describe_thread(w, lane))};
    }
    if (from_bytes[lane] != 0) reading |= LaneMask{1} << lane;
  });
  std::uint64_t addresses[kLanes];
  Lanes from{};
  effective_addresses(w, d.from_row, d.from.address_bytes, d.from_offset, addresses);
  // Lanes are checked and counted for what they read, those together that read as much.
  AccessDetail part = d.from;
  while (reading != 0) {
    part.bytes = from_bytes[std::countr_zero(reading)];
    LaneMask alike = 0;
    for_lanes(reading, [&](std::uint32_t lane) {
      if (from_bytes[lane] == part.bytes) alike |= LaneMask{1} << lane;
    });
    Lanes resolved;
    part.resolve(w, part, addresses, alike, resolved);
    for_lanes(alike, [&](std::uint32_t lane) { from.at[lane] = resolved.at[lane]; });
    reading &= ~alike;
  }
  Lanes to;
  effective_addresses(w, d.to_row, d.to.address_bytes, d.to_offset, addresses);
  d.to.resolve(w, d.to, addresses, mask, to);
  for_lanes(mask, [&](std::uint32_t lane) {
    w.copies.push_back(
        issue_copy(w, to.at[lane], from.at[lane], d.to.bytes, from_bytes[lane], lane));
  });
}

void commit(std::vector<PendingCopy>& copies, std::array<std::uint64_t, kLanes>& groups,
            LaneMask mask) {
  for_lanes(mask, [&](std::uint32_t lane) { ++groups[lane]; });
  for (PendingCopy& copy : copies) {
    if (copy.group == 0 && ((mask >> copy.lane) & 1) != 0) copy.group = groups[copy.lane];
  }
}

// Lands the copies of all but the last `keep` groups of each lane; `all`: uncommitted ones too.
void wait(std::vector<PendingCopy>& copies, const std::array<std::uint64_t, kLanes>& groups,
          LaneMask mask, std::uint64_t keep, bool all) {
  const auto due = [&](const PendingCopy& copy) {
    if (((mask >> copy.lane) & 1) == 0) return false;
    return all || (copy.group != 0 && copy.group + keep <= groups[copy.lane]);
  };
  for (const PendingCopy& copy : copies) {
    if (due(copy)) land_copy(copy);
  }
  copies.erase(std::remove_if(copies.begin(), copies.end(), due), copies.end());
}

void run_commit(Warp& w, const Instruction&, LaneMask mask) {
  commit(w.copies, w.copy_groups, mask);
}
void run_wait_group(Warp& w, const Instruction& ins, LaneMask mask) {
  wait(w.copies, w.copy_groups, mask, static_cast<std::uint64_t>(ins.immediate), false);
}
void run_wait_all(Warp& w, const Instruction&, LaneMask mask) {
  wait(w.copies, w.copy_groups, mask, 0, true);
}

// cp.async.mbarrier.arrive: the lane arrives when its copies so far have landed.
struct ArriveDetail : AccessDetail {
  bool no_increment = false;
};

void run_arrive(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const ArriveDetail&>(*ins.detail);
  Lanes lanes;
  resolve(w, ins, d, mask, lanes);
  for_lanes(mask, [&](std::uint32_t lane) {
    PendingArrival arrival;
    arrival.barrier = lanes.at[lane];
    const auto mine = [&](const PendingCopy& copy) { return copy.lane == lane; };
    std::copy_if(w.copies.begin(), w.copies.end(), std::back_inserter(arrival.copies), mine);
    w.copies.erase(std::remove_if(w.copies.begin(), w.copies.end(), mine), w.copies.end());
    if (w.worker->checks.race) race_release(w, lanes.at[lane]);
    if (Block* owner = owner_of(w, lanes.at[lane])) {
      if (!d.no_increment) add_pending_arrival(lanes.at[lane]);
      owner->arrivals.push_back(std::move(arrival));
    }
  });
}

void build_arrive(Builder& b) {
  auto& d = b.detail<ArriveDetail>();
  d.kind = AccessKind::atomic;
  d.ordering = Ordering::relaxed;
  d.bytes = d.alignment = 8;
  d.no_increment = b.take("noinc");
  d.resolve = resolver(take_space(b));
  b.take("b64");
  b.expect_operands(1);
  const Builder::Address a = b.address(b.operand(0));
  d.address_bytes = a.bytes;
  b.out.a = a.row;
  b.out.immediate = a.offset;
  b.out.handler = run_arrive;
}

void build_group(Builder& b, Handler commit_handler, Handler wait_handler) {
  if (b.take("commit_group")) {
    b.expect_operands(0);
    b.out.handler = commit_handler;
    return;
  }
  b.take("wait_group");
  b.expect_operands(1);
  b.out.immediate = static_cast<std::int64_t>(b.integer(b.operand(0)));
  b.out.handler = wait_handler;
}

void build_copy(Builder& b) {
  auto& d = b.detail<CopyDetail>();
  take_cache_hints(b);
  if (b.take_any({"shared", "shared::cta"}) < 0) b.unsupported("this destination");
  if (!b.take("global")) b.unsupported("this source");
  const bool hint = b.take("L2::cache_hint");
  const std::size_t operands = b.operands() - (hint ? 1 : 0);
  const std::uint64_t bytes = b.integer(b.operand(2));
  if (bytes != 4 && bytes != 8 && bytes != 16) b.unsupported("a copy of this size");
  d.to.kind = AccessKind::store;
  d.from.kind = AccessKind::load;
  for (AccessDetail* side : {&d.to, &d.from}) {
    side->bytes = side->alignment = static_cast<std::uint32_t>(bytes);
  }
  const Builder::Address to = b.address(b.operand(0));
  const Builder::Address from = b.address(b.operand(1));
  d.to.resolve = resolver(AddressSpace::shared);
  d.from.resolve = resolver(AddressSpace::global);
  d.to.address_bytes = to.bytes;
  d.from.address_bytes = from.bytes;
  d.to_row = to.row;
  d.from_row = from.row;
  d.to_offset = to.offset;
  d.from_offset = from.offset;
  if (operands == 4) {
    if (b.is_predicate(b.operand(3))) {
      d.has_ignore = true;
      std::tie(d.ignore, d.ignore_flip) = b.predicate_value(b.operand(3));
    } else {
      d.has_size = true;
      d.size = b.value(3, Type::u32);
    }
  } else if (operands != 3) {
    b.unsupported("another number of operands");
  }
  b.out.handler = run_copy;
}

// ---- cp.async.bulk: any multiple of 16 bytes, by one thread ----

struct BulkDetail : Detail {
  AddressSpace to = AddressSpace::shared_cluster, from = AddressSpace::global;
  std::uint32_t to_row = 0, from_row = 0, size = 0, barrier_row = 0;
  std::uint32_t to_bytes = 8, from_bytes = 8, barrier_bytes = 8;
  std::int64_t to_offset = 0, from_offset = 0, barrier_offset = 0;
  bool has_barrier = false;
};

void run_bulk(Warp& w, const Instruction& ins, LaneMask mask) {
  const auto& d = static_cast<const BulkDetail&>(*ins.detail);
  std::uint64_t to[kLanes];
  std::uint64_t from[kLanes];
  std::uint64_t barrier[kLanes];
  effective_addresses(w, d.to_row, d.to_bytes, d.to_offset, to);
  effective_addresses(w, d.from_row, d.from_bytes, d.from_offset, from);
  effective_addresses(w, d.barrier_row, d.barrier_bytes, d.barrier_offset, barrier);
  const auto* size = row<std::uint32_t>(w, d.size);
  for_lanes(mask, [&](std::uint32_t lane) {
    const LaneMask one = LaneMask{1} << lane;
    if (size[lane] % 16 != 0) {
      throw Fault{FaultKind::illegal_instruction,
                  fmt::format("cp.async.bulk of {} bytes, which is no multiple of 16, {}",
                              size[lane], describe_thread(w, lane))};
    }
    if (size[lane] == 0) return;
    const std::byte* source =
        resolve_range(w, one, d.from, from[lane], size[lane], AccessKind::load, 16, true);
    std::byte* target =
        resolve_range(w, one, d.to, to[lane], size[lane], AccessKind::store, 16, true);
    PendingCopy copy = issue_copy(w, target, source, size[lane], size[lane], lane);
    if (!d.has_barrier) {
      w.bulk_copies.push_back(copy);
      return;
    }
    PendingArrival arrival;
    arrival.barrier = resolve_range(w, one, AddressSpace::shared_cluster, barrier[lane], 8,
                                    AccessKind::atomic, 8);
    arrival.copies.push_back(copy);
    arrival.transaction_bytes = size[lane];
    if (w.worker->checks.race) race_release(w, arrival.barrier);
    if (Block* owner = owner_of(w, arrival.barrier)) owner->arrivals.push_back(std::move(arrival));
  });
}

void run_bulk_commit(Warp& w, const Instruction&, LaneMask mask) {
  commit(w.bulk_copies, w.bulk_groups, mask);
}
void run_bulk_wait(Warp& w, const Instruction& ins, LaneMask mask) {
  wait(w.bulk_copies, w.bulk_groups, mask, static_cast<std::uint64_t>(ins.immediate), false);
}

void build_bulk(Builder& b) {
  if (b.has("commit_group") || b.has("wait_group")) {
    b.take("read");
    build_group(b, run_bulk_commit, run_bulk_wait);
    return;
  }
  if (b.has("tensor") || b.has("prefetch")) b.unsupported("tensor maps");
  auto& d = b.detail<BulkDetail>();
  // The destination comes first.
  const std::string_view to = b.take_next();
  const std::string_view from = b.take_next();
  const auto space = [&](std::string_view word) {
    if (word == "shared::cluster") return AddressSpace::shared_cluster;
    if (word == "shared::cta") return AddressSpace::shared;
    if (word == "global") return AddressSpace::global;
    b.unsupported("this space");
  };
  d.to = space(to);
  d.from = space(from);
  d.has_barrier = b.take("mbarrier::complete_tx::bytes");
  if (!d.has_barrier && !b.take("bulk_group")) b.unsupported("this completion");
  const bool hint = b.take("L2::cache_hint");
  b.expect_operands((d.has_barrier ? 4 : 3) + (hint ? 1 : 0));
  const auto set = [&](std::size_t i, std::uint32_t& r, std::uint32_t& bytes,
                       std::int64_t& offset) {
    const Builder::Address a = b.address(b.operand(i));
    r = a.row;
    bytes = a.bytes;
    offset = a.offset;
  };
  set(0, d.to_row, d.to_bytes, d.to_offset);
  set(1, d.from_row, d.from_bytes, d.from_offset);
  d.size = b.value(2, Type::u32);
  if (d.has_barrier) {
    set(3, d.barrier_row, d.barrier_bytes, d.barrier_offset);
  } else {
    d.barrier_row = d.to_row;
    d.barrier_bytes = d.to_bytes;
  }
  b.out.handler = run_bulk;
}

void build_cp(Builder& b) {
  if (!b.take("async")) b.unsupported("not async");
  if (b.take("bulk")) return build_bulk(b);
  if (b.take("mbarrier")) {
    b.take("arrive");
    return build_arrive(b);
  }
  if (b.take("wait_all")) {
    b.expect_operands(0);
    b.out.handler = run_wait_all;
    return;
  }
  if (b.has("commit_group") || b.has("wait_group"))
    return build_group(b, run_commit, run_wait_group);
  build_copy(b);
}

}  // namespace

PendingCopy issue_copy(Warp& w, std::byte* to, const std::byte* from, std::uint32_t bytes,
                       std::uint32_t from_bytes, std::uint32_t lane) {
  PendingCopy copy;
  copy.to = to;
  copy.to_shadow = shadow_of(w, to);
  copy.from = from;
  copy.bytes = bytes;
  copy.from_bytes = from_bytes;
  copy.lane = lane;
  std::memset(to, 0xff, bytes);
  if (copy.to_shadow != nullptr) std::memset(copy.to_shadow, Memory::kAddressable, bytes);
  return copy;
}

void land_copy(const PendingCopy& copy) {
  if (copy.from_bytes != 0) std::memcpy(copy.to, copy.from, copy.from_bytes);
  std::memset(copy.to + copy.from_bytes, 0, copy.bytes - copy.from_bytes);
  if (copy.to_shadow != nullptr) {
    std::memset(copy.to_shadow, Memory::kAddressable | Memory::kWritten, copy.bytes);
  }
}

void add_async_copies(OpcodeTable& table) {
  table.add("cp", InstructionClass::async_copy, build_cp);
}

}  // namespace vgpu
