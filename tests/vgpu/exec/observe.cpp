#include "tests/vgpu/exec/observe.h"

#include <algorithm>
#include <array>
#include <bit>

#include "tests/vgpu/exec/lanes.h"
#include "tests/vgpu/exec/race.h"

namespace vgpu {
namespace {

constexpr std::uint64_t kSector = 32;  // bytes
constexpr std::uint32_t kBanks = 32;
constexpr std::uint32_t kBankBytes = 4;

// Distinct aligned 32-byte pieces that the lanes touch, each with so many bytes from its offset on.
std::uint64_t sectors(const std::uint64_t* offsets, LaneMask mask, std::uint32_t bytes) {
  std::array<std::uint64_t, kLanes> starts{};
  std::size_t lanes = 0;
  for_lanes(mask, [&](std::uint32_t lane) { starts[lanes++] = offsets[lane]; });
  std::sort(starts.begin(), starts.begin() + static_cast<std::ptrdiff_t>(lanes));
  std::uint64_t touched = 0;
  std::uint64_t known_end = 0;  // sectors below have been counted
  for (std::size_t i = 0; i < lanes; ++i) {
    const std::uint64_t end = (starts[i] + bytes - 1) / kSector + 1;
    touched += end - std::max(known_end, starts[i] / kSector);
    known_end = end;
  }
  return touched;
}

void count(Traffic& traffic, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask) {
  traffic.requests += 1;
  traffic.bytes += static_cast<std::uint64_t>(std::popcount(mask)) * d.bytes;
  traffic.sectors += sectors(offsets, mask, d.bytes);
}

// What a request takes: lanes go in groups of which each moves 128 bytes at most, or in passes of
// their own where one alone moves more, as a bulk copy does; in a group different words of one bank
// follow one another.
SharedLine passes_of(const std::uint64_t* offsets, LaneMask mask, std::uint32_t bytes) {
  constexpr std::uint32_t kPassBytes = kBanks * kBankBytes;
  SharedLine taken{.requests = 1};
  if (bytes > kPassBytes) {
    const std::uint64_t a_lane = (bytes + kPassBytes - 1) / kPassBytes;
    taken.passes = static_cast<std::uint64_t>(std::popcount(mask)) * a_lane;
    return taken;
  }
  const std::uint32_t lanes_a_group = kPassBytes / std::max(kBankBytes, bytes);
  for (std::uint32_t first = 0; first < kLanes; first += lanes_a_group) {
    std::array<std::array<std::uint64_t, kLanes>, kBanks> words{};
    std::array<std::uint32_t, kBanks> counts{};
    std::uint32_t most = 0;
    for (std::uint32_t lane = first; lane < first + lanes_a_group; ++lane) {
      if (((mask >> lane) & 1) == 0) continue;
      for (std::uint64_t at = offsets[lane] / kBankBytes;
           at <= (offsets[lane] + bytes - 1) / kBankBytes; ++at) {
        const auto bank = static_cast<std::uint32_t>(at % kBanks);
        auto& known = words[bank];
        auto& n = counts[bank];
        if (std::find(known.begin(), known.begin() + n, at) != known.begin() + n) continue;
        if (n < kLanes) known[n++] = at;
        most = std::max(most, n);
      }
    }
    taken.passes += most;
    taken.conflicts += most > 1 ? most - 1 : 0;
  }
  return taken;
}

bool counting(const Warp& w) { return w.worker->launch->options->counters != nullptr; }

}  // namespace

void observe_global(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask) {
  if (mask == 0) return;
  Counters& c = w.worker->counters;
  if (counting(w)) {
    Traffic* by_kind[] = {&c.global_load, &c.global_store, &c.global_atomic};
    count(*by_kind[static_cast<int>(d.kind)], d, offsets, mask);
  }
  if (w.worker->checks.race) race_global(w, d, offsets, mask);
}

void observe_shared(Warp& w, Block& owner, const AccessDetail& d, const std::uint64_t* offsets,
                    LaneMask mask) {
  if (mask == 0) return;
  Counters& c = w.worker->counters;
  if (counting(w) && d.counted) {
    Traffic* by_kind[] = {&c.shared_load, &c.shared_store, &c.shared_atomic};
    count(*by_kind[static_cast<int>(d.kind)], d, offsets, mask);
    const SharedLine taken = passes_of(offsets, mask, d.bytes);
    c.bank_conflicts += taken.conflicts;
    c.shared_passes += taken.passes;
    current_executions(w).shared += taken;
  }
  if (w.worker->checks.race) race_shared(w, owner, d, offsets, mask);
}

void observe_local(Warp& w, const AccessDetail& d, const std::uint64_t* offsets, LaneMask mask) {
  if (mask == 0 || !counting(w)) return;
  // A device interleaves the lanes' local memory word by word.
  std::uint64_t interleaved[kLanes] = {};
  const std::uint64_t stride = w.local.stride;
  for_lanes(mask, [&](std::uint32_t lane) {
    const std::uint64_t own = offsets[lane] - lane * stride;
    interleaved[lane] = (own / d.bytes * kLanes + lane) * d.bytes;
  });
  Counters& c = w.worker->counters;
  count(d.kind == AccessKind::load ? c.local_load : c.local_store, d, interleaved, mask);
}

}  // namespace vgpu
